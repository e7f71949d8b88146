/* headers.c - see headers.h. */
#include "worker/outbox/headers.h"

#include "common/json.h"
#include "common/sign.h"
#include "common/utf8.h"

static bool write_name(struct sl_buf *out, struct sl_str name)
{
    if (sl_utf8_is_text(name))
        return sl_json_write_str(out, name);
    struct sl_buf text;
    sl_buf_init(&text, name.len);
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] >= ' ' && name.ptr[i] <= '~')
            (void)sl_buf_append_char(&text, name.ptr[i]);
    }
    bool ok = sl_json_write_str(out, sl_buf_str(&text));
    sl_buf_deinit(&text);
    return ok;
}

static bool write_value(struct sl_buf *out, struct sl_str value)
{
    if (sl_utf8_is_text(value))
        return sl_json_write_str(out, value);
    if (!sl_buf_append_cstr(out, "{\"base64\":\""))
        return false;
    sl_sign_base64(value, out);
    return sl_buf_append_cstr(out, "\"}");
}

bool headers_write(const struct sl_event_header *headers, size_t count, struct sl_buf *out)
{
    bool ok = sl_buf_append_char(out, '[');
    for (size_t i = 0; ok && i < count; i++) {
        ok = sl_buf_append_cstr(out, i ? ",[" : "[") && write_name(out, headers[i].name) &&
             sl_buf_append_char(out, ',') && write_value(out, headers[i].value) && sl_buf_append_char(out, ']');
    }
    return ok && sl_buf_append_char(out, ']') && !out->overflow;
}

static bool read_value(const json_t *pair, struct sl_arena *arena, struct sl_str *ret_value)
{
    if (json_is_string(json_array_get(pair, 1))) {
        *ret_value = sl_arena_str(arena, sl_json_str(pair, "1"));
        return true;
    }
    const json_t *encoded = sl_json_at(pair, "1.base64");
    if (!json_is_string(encoded))
        return false;
    struct sl_str text = sl_json_str(pair, "1.base64");
    size_t count = 0;
    uint8_t *bytes = sl_arena_alloc(arena, text.len + 1, 1);
    if (!sl_sign_unbase64(text, bytes, text.len, &count))
        return false;
    *ret_value = (struct sl_str){.ptr = (const char *)bytes, .len = count};
    return true;
}

bool headers_read(struct sl_str json, struct sl_arena *arena, struct sl_event_header ret_headers[SL_EVENT_HEADERS_MAX],
                  size_t *ret_count, struct sl_err *err)
{
    SL_JSON_AUTO *array = NULL;
    if (!sl_json_parse(json, HEADERS_JSON_BYTES_MAX, &array, err))
        return false;
    if (!json_is_array(array) || json_array_size(array) > SL_EVENT_HEADERS_MAX)
        return sl_err_set(err, SL_ERR_PERMANENT, "the headers are no array of at most %d", SL_EVENT_HEADERS_MAX);
    struct sl_event_header headers[SL_EVENT_HEADERS_MAX];
    size_t count = json_array_size(array);
    for (size_t i = 0; i < count; i++) {
        const json_t *pair = json_array_get(array, i);
        if (!json_is_array(pair) || json_array_size(pair) != 2 || !json_is_string(json_array_get(pair, 0)) ||
            !read_value(pair, arena, &headers[i].value))
            return sl_err_set(err, SL_ERR_PERMANENT, "header %zu is no pair of name and value", i);
        headers[i].name = sl_arena_str(arena, sl_json_str(pair, "0"));
    }
    for (size_t i = 0; i < count; i++)
        ret_headers[i] = headers[i];
    *ret_count = count;
    return true;
}
