/* json_fuzz.c - any text as JSON, any path into it, any string written as JSON.
 *
 * The wrapper takes what jansson takes, except for what is too long, has a NUL or is nested deeper than
 * SL_JSON_DEPTH_MAX; what it took is written so that it is read again as the same; a refusal never quotes the text; a
 * string is written so that jansson reads it back, with U+FFFD for what was no UTF-8.
 *
 * Input: a path, up to the first NUL; the document.
 */
#include "common/json.h"
#include "common/utf8.h"
#include "tests/fuzz/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t depth_of(const json_t *json)
{
    size_t deepest = 0;
    const char *key;
    json_t *value;
    size_t index;
    if (json_is_object(json)) {
        json_object_foreach((json_t *)(uintptr_t)json, key, value)
        {
            size_t depth = depth_of(value);
            deepest = depth > deepest ? depth : deepest;
        }
        return deepest + 1;
    }
    if (json_is_array(json)) {
        json_array_foreach(json, index, value)
        {
            size_t depth = depth_of(value);
            deepest = depth > deepest ? depth : deepest;
        }
        return deepest + 1;
    }
    return 0;
}

static void check_paths(const json_t *json, const char *path)
{
    char storage[24];
    int64_t number = 0;
    struct sl_uuid uuid;
    const json_t *found = sl_json_at(json, path);
    struct sl_str text = sl_json_str(json, path);
    SL_ASSERT(json_is_string(found) ? sl_utf8_is_text(text) : sl_str_empty(text));
    if (sl_json_int(json, path, &number))
        SL_ASSERT(json_is_number(found) && json_number_value(found) == (double)number);
    struct sl_str id = sl_json_id(json, path, storage);
    SL_ASSERT(json_is_integer(found) || sl_str_equal(id, text));
    SL_ASSERT(json_is_boolean(found) ? sl_json_bool(json, path, false) == json_is_true(found)
                                     : sl_json_bool(json, path, true));
    SL_ASSERT(!sl_json_uuid(json, path, &uuid) || text.len == SL_UUID_TEXT_BYTES - 1);
}

static void check_taken(json_t *json, struct sl_str text, const char *path)
{
    SL_ASSERT(json_is_object(json) || json_is_array(json));
    SL_ASSERT(depth_of(json) <= SL_JSON_DEPTH_MAX);
    check_paths(json, path);
    struct sl_buf out;
    SL_JSON_AUTO *again = NULL;
    struct sl_err err = {0};
    sl_buf_init(&out, 64 * text.len + 64);
    SL_ASSERT(sl_json_write(json, &out));
    SL_ASSERT(sl_json_parse(sl_buf_str(&out), 0, &again, &err) && json_equal(json, again));
    sl_buf_deinit(&out);
    sl_buf_init(&out, 1);
    SL_ASSERT(!sl_json_write(json, &out) && out.len <= 1);
    sl_buf_deinit(&out);
}

static void check_document(struct sl_str text, const char *path)
{
    json_error_t error;
    SL_JSON_AUTO *json = NULL;
    SL_JSON_AUTO *same = json_loadb(text.ptr, text.len, 0, &error);
    struct sl_err err = {0};
    if (sl_json_parse(text, 0, &json, &err)) {
        SL_ASSERT(same && json_equal(json, same));
        check_taken(json, text, path);
    } else {
        SL_ASSERT(err.error_class == SL_ERR_PERMANENT && err.message[0] != '\0' && err.detail[0] == '\0');
        SL_ASSERT(sl_utf8_is_plain(sl_str_of(err.message)));
        SL_ASSERT(!same || depth_of(same) > SL_JSON_DEPTH_MAX || memchr(text.ptr, 0, text.len));
    }
    json_t *none = NULL;
    SL_ASSERT(text.len < 2 || (!sl_json_parse(text, text.len - 1, &none, NULL) && !none));
}

static void check_string(struct sl_str text)
{
    struct sl_buf out;
    json_error_t error;
    sl_buf_init(&out, 8 * text.len + 2);
    SL_ASSERT(sl_json_write_str(&out, text));
    for (size_t i = 0; i < out.len; i++)
        SL_ASSERT((unsigned char)out.data[i] >= 0x20 && out.data[i] != 0x7F);
    SL_JSON_AUTO *json = json_loadb(out.data, out.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    SL_ASSERT(json_is_string(json));
    struct sl_str again = {.ptr = json_string_value(json), .len = json_string_length(json)};
    SL_ASSERT(sl_utf8_is_valid(text) ? sl_str_equal(text, again) : sl_utf8_is_valid(again));
    sl_buf_deinit(&out);
    sl_buf_init(&out, text.len + 1);
    SL_ASSERT(!sl_json_write_str(&out, text) && out.len <= text.len + 1);
    sl_buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_bytes bytes = {.at = data, .left = size};
    struct sl_str path = fuzz_text(&bytes);
    char path_text[64];
    size_t path_len = path.len < sizeof(path_text) - 1 ? path.len : sizeof(path_text) - 1;
    memcpy(path_text, path.ptr, path_len);
    path_text[path_len] = '\0';
    struct sl_str text = fuzz_rest(&bytes);
    check_document(text, path_text);
    check_string(text);
    fuzz_free(path);
    fuzz_free(text);
    return 0;
}
