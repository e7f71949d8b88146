/* json.c - jansson, with the depth looked at before it (its own limit is 2,048, recursively). */
#include "common/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"

#define TWO_TO_THE_63 9223372036854775808.0

/* jansson gives NULL for want of memory as it does for bad JSON, and values that could not be added are just not there:
 * a good event would be refused, or published with a hole in it. So its memory comes from where ours does, and the
 * process stops instead. Before main, as it must be set before the first value is made. */
__attribute__((constructor)) static void use_our_memory(void)
{
    json_set_alloc_funcs(sl_malloc, free);
}

void sl_json_decref(json_t **json)
{
    json_decref(*json);
    *json = NULL;
}

/* Whether brackets outside of strings ever stand deeper than the limit; `ret_at` is where. Nothing else is checked: on
 * text that isn't JSON the answer may be wrong, and jansson refuses it anyway. */
static bool is_too_deep(struct sl_str text, size_t *ret_at)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        const char byte = text.ptr[i];
        if (in_string) {
            if (byte == '\\') {
                i++;
            } else if (byte == '"') {
                in_string = false;
            }
        } else if (byte == '"') {
            in_string = true;
        } else if (byte == '{' || byte == '[') {
            if (++depth > SL_JSON_DEPTH_MAX) {
                *ret_at = i;
                return true;
            }
        } else if ((byte == '}' || byte == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

static bool fail_too_deep(struct sl_str text, size_t at, struct sl_err *err)
{
    size_t line = 1;
    size_t column = 1;
    for (size_t i = 0; i < at; i++) {
        column++;
        if (text.ptr[i] == '\n') {
            line++;
            column = 1;
        }
    }
    return sl_err_set(err, SL_ERR_PERMANENT, "JSON is nested deeper than %d levels at line %zu, column %zu",
                      SL_JSON_DEPTH_MAX, line, column);
}

/* jansson's own text quotes what stands near the place, which may be anybody's data. */
static const char *cause_of(enum json_error_code code)
{
    switch (code) {
    case json_error_invalid_utf8:
        return "not UTF-8";
    case json_error_premature_end_of_input:
        return "it ends too early";
    case json_error_end_of_input_expected:
        return "something follows its end";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "a NUL character in a string";
    case json_error_numeric_overflow:
        return "a number that is too large";
    case json_error_stack_overflow:
        return "nested too deep";
    default:
        return "wrong syntax";
    }
}

bool sl_json_parse(struct sl_str text, size_t bytes_max, json_t **ret_json, struct sl_err *err)
{
    if (bytes_max != 0 && text.len > bytes_max) {
        return sl_err_set(err, SL_ERR_PERMANENT, "JSON is longer than %zu bytes", bytes_max);
    }
    size_t at = 0;
    if (is_too_deep(text, &at)) {
        return fail_too_deep(text, at, err);
    }
    /* jansson loses a NUL behind a number, and reads on as if it weren't there */
    if (text.len > 0 && memchr(text.ptr, 0, text.len) != NULL)
        return sl_err_set(err, SL_ERR_PERMANENT, "invalid JSON: a NUL character");
    json_error_t error;
    json_t *json = json_loadb(text.len > 0 ? text.ptr : "", text.len, 0, &error);
    if (json == NULL) {
        return sl_err_set(err, SL_ERR_PERMANENT, "invalid JSON at line %d, column %d: %s", error.line, error.column,
                          cause_of(json_error_code(&error)));
    }
    *ret_json = json;
    return true;
}

static const json_t *member(const json_t *json, struct sl_str name)
{
    if (json_is_object(json)) {
        return json_object_getn(json, name.ptr, name.len);
    }
    int64_t index;
    if (json_is_array(json) && sl_str_to_int64(name, &index) && index >= 0) {
        return json_array_get(json, (size_t)index);
    }
    return NULL;
}

const json_t *sl_json_at(const json_t *json, const char *path)
{
    struct sl_str rest = sl_str_of(path);
    while (json != NULL && rest.len > 0) {
        json = member(json, sl_str_cut(&rest, '.'));
    }
    return json;
}

struct sl_str sl_json_str(const json_t *json, const char *path)
{
    const json_t *value = sl_json_at(json, path);
    if (!json_is_string(value)) {
        return SL_STR_NONE;
    }
    return (struct sl_str){.ptr = json_string_value(value), .len = json_string_length(value)};
}

bool sl_json_int(const json_t *json, const char *path, int64_t *ret_value)
{
    const json_t *value = sl_json_at(json, path);
    if (json_is_integer(value)) {
        *ret_value = json_integer_value(value);
        return true;
    }
    if (!json_is_real(value)) {
        return false;
    }
    /* Both bounds are powers of two, so exact as doubles; INT64_MAX itself is not. */
    const double real = json_real_value(value);
    if (real < -TWO_TO_THE_63 || real >= TWO_TO_THE_63) {
        return false;
    }
    const int64_t whole = (int64_t)real;
    if ((double)whole != real) {
        return false;
    }
    *ret_value = whole;
    return true;
}

bool sl_json_bool(const json_t *json, const char *path, bool fallback)
{
    const json_t *value = sl_json_at(json, path);
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

struct sl_str sl_json_id(const json_t *json, const char *path, char storage[24])
{
    const json_t *value = sl_json_at(json, path);
    if (!json_is_integer(value)) {
        return sl_json_str(json, path);
    }
    const int len = snprintf(storage, 24, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    SL_ASSERT(len > 0 && len < 24);
    return (struct sl_str){.ptr = storage, .len = (size_t)len};
}

bool sl_json_uuid(const json_t *json, const char *path, struct sl_uuid *ret_uuid)
{
    return sl_uuid_parse(sl_json_str(json, path), ret_uuid);
}

static int append_chunk(const char *bytes, size_t len, void *out)
{
    return sl_buf_append(out, bytes, len) ? 0 : -1;
}

bool sl_json_write(const json_t *json, struct sl_buf *out)
{
    return json_dump_callback(json, append_chunk, out, JSON_COMPACT | JSON_ENCODE_ANY) == 0;
}

static const char *short_escape(uint32_t code)
{
    switch (code) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        return NULL;
    }
}

/* One character as it stands in the string; C0, DEL and C1 never raw: JSON forbids the first, terminals obey them all.
 */
static bool write_character(struct sl_buf *out, const char *bytes, size_t count, uint32_t code)
{
    const char *escape = short_escape(code);
    if (escape != NULL) {
        return sl_buf_append_cstr(out, escape);
    }
    if (code < 0x20 || (code >= 0x7F && code <= 0x9F)) {
        return sl_buf_printf(out, "\\u%04x", (unsigned)code);
    }
    return sl_buf_append(out, bytes, count);
}

bool sl_json_write_str(struct sl_buf *out, struct sl_str text)
{
    bool fits = sl_buf_append_char(out, '"');
    for (size_t i = 0; i < text.len && fits;) {
        const size_t count = sl_utf8_bytes_at(text, i);
        if (count == 0) {
            fits = sl_buf_append_cstr(out, "\xEF\xBF\xBD"); /* U+FFFD, the replacement character */
            i++;
        } else {
            fits = write_character(out, text.ptr + i, count, sl_utf8_code_at(text, i));
            i += count;
        }
    }
    return fits && sl_buf_append_char(out, '"');
}
