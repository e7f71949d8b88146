/* json_test.c - limits, paths, types, writing; agreement with jansson on what is accepted. */
#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/json.h"

static json_t *parsed(const char *text)
{
    json_t *json = NULL;
    struct sl_err err;
    if (!sl_json_parse(sl_str_of(text), 0, &json, &err)) {
        fail_msg("%s: %s", text, err.message);
    }
    return json;
}

static void bad_text_is_refused_with_its_place_and_unquoted(void **state)
{
    (void)state;
    static const struct {
        struct sl_str text;
        const char *message;
    } CASES[] = {
        {{NULL, 0}, "ends too early"},
        {{"{\"a\":", 5}, "line 1, column 5: it ends too early"},
        {{"{\"a\":1}\n x", 10}, "line 2, column 2: something follows"},
        {{"{\"secret\":\xFF}", 12}, "not UTF-8"},
        {{"[\"\\u0000\"]", 10}, "NUL"},
        {{"[\"a\0b\"]", 7}, "invalid JSON"},
        {{"[1\0]", 4}, "NUL"},
        {{"{}\0", 3}, "NUL"},
        {{"[99999999999999999999]", 22}, "too large"},
        {{"[1e999]", 7}, "too large"},
        {{"{\n\"secret\": nope}", 17}, "line 2, column 14: wrong syntax"},
        {{"\"text\"", 6}, "wrong syntax"},
        {{"7", 1}, "wrong syntax"},
        {{"[1,]", 4}, "wrong syntax"},
        {{"[\"\xED\xA0\x80\"]", 7}, "not UTF-8"},
        {{"[\"\\ud800\"]", 10}, "invalid JSON"},
        {{"\xEF\xBB\xBF{}", 5}, "invalid JSON"},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(CASES); i++) {
        json_t *json = NULL;
        struct sl_err err;
        assert_false(sl_json_parse(CASES[i].text, 0, &json, &err));
        assert_null(json);
        assert_int_equal(err.error_class, SL_ERR_PERMANENT);
        if (strstr(err.message, CASES[i].message) == NULL) {
            fail_msg("case %zu says: %s", i, err.message);
        }
        assert_null(strstr(err.message, "secret"));
    }
}

static void the_size_is_limited(void **state)
{
    (void)state;
    json_t *json = NULL;
    struct sl_err err;
    assert_false(sl_json_parse(SL_STR("[1234]"), 5, &json, &err));
    assert_non_null(strstr(err.message, "5 bytes"));
    assert_true(sl_json_parse(SL_STR("[1234]"), 6, &json, &err));
    sl_json_decref(&json);
    assert_null(json);
}

static char *nested(size_t depth, const char *open, const char *close)
{
    struct sl_buf buf;
    sl_buf_init(&buf, 1 << 20);
    for (size_t i = 0; i < depth; i++) {
        assert_true(sl_buf_append_cstr(&buf, open));
    }
    assert_true(sl_buf_append_cstr(&buf, strcmp(open, "[") == 0 ? "" : "1"));
    for (size_t i = 0; i < depth; i++) {
        assert_true(sl_buf_append_cstr(&buf, close));
    }
    return sl_buf_take(&buf);
}

static void the_depth_is_limited(void **state)
{
    (void)state;
    static const struct {
        size_t depth;
        bool good;
    } CASES[] = {{SL_JSON_DEPTH_MAX, true}, {SL_JSON_DEPTH_MAX + 1, false}, {100000, false}};
    for (size_t i = 0; i < SL_ARRAY_LEN(CASES); i++) {
        char *texts[] = {nested(CASES[i].depth, "[", "]"), nested(CASES[i].depth, "{\"a\":", "}")};
        for (size_t j = 0; j < SL_ARRAY_LEN(texts); j++) {
            SL_JSON_AUTO *json = NULL;
            struct sl_err err = {.error_class = SL_ERR_NONE};
            assert_int_equal(sl_json_parse(sl_str_of(texts[j]), 0, &json, &err), CASES[i].good);
            assert_true(CASES[i].good || strstr(err.message, "64 levels at line 1") != NULL);
            free(texts[j]);
        }
    }
}

static void brackets_in_strings_are_no_depth(void **state)
{
    (void)state;
    char text[400] = "{\"a\\\"b\\\\\":\"";
    memset(text + strlen(text), '[', 200);
    size_t len = strlen(text);
    (void)snprintf(text + len, sizeof(text) - len, "\\\"[[[\", \"x\":[]}");
    SL_JSON_AUTO *json = parsed(text);
    assert_int_equal(json_object_size(json), 2);
}

static uint32_t next_random(uint32_t *seed, uint32_t below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 16) % below;
}

static void append_random(struct sl_buf *out, uint32_t *seed, int depth)
{
    static const char *const SCALARS[] = {"1",         "-2.5e1",      "true",         "null",
                                          "\"\\\"[\"", "\"\\u00e4\"", "\"\xC3\xA4\"", " 0\n"};
    const uint32_t kind = depth == 0 ? 2 : next_random(seed, 3);
    if (kind == 2) {
        (void)sl_buf_append_cstr(out, SCALARS[next_random(seed, SL_ARRAY_LEN(SCALARS))]);
        return;
    }
    (void)sl_buf_append_char(out, kind == 0 ? '[' : '{');
    const uint32_t count = next_random(seed, 3);
    for (uint32_t i = 0; i < count; i++) {
        (void)sl_buf_append_cstr(out, i == 0 ? "" : ",");
        (void)sl_buf_append_cstr(out, kind == 0 ? "" : next_random(seed, 2) == 0 ? "\"a\":" : "\"b\": ");
        append_random(out, seed, depth - 1);
    }
    (void)sl_buf_append_char(out, kind == 0 ? ']' : '}');
}

/* Random documents, half of them with a byte changed: what is not too deep we accept exactly when jansson does. */
static void otherwise_we_agree_with_jansson(void **state)
{
    (void)state;
    static const char BYTES[] = "{}[],:\"\\ 1eat\n\xFF\xC3";
    uint32_t seed = 20261121;
    size_t accepted = 0;
    size_t refused = 0;
    struct sl_buf text;
    sl_buf_init(&text, 10000);
    for (int round = 0; round < 50000; round++) {
        sl_buf_reset(&text);
        append_random(&text, &seed, 5);
        if (round % 2 == 0) {
            text.data[next_random(&seed, (uint32_t)text.len)] = BYTES[next_random(&seed, sizeof(BYTES))];
        }
        SL_JSON_AUTO *ours = NULL;
        SL_JSON_AUTO *theirs = json_loadb(text.data, text.len, 0, NULL);
        const bool good = sl_json_parse(sl_buf_str(&text), 0, &ours, NULL);
        const bool has_nul = memchr(text.data, 0, text.len) != NULL; /* jansson passes over some */
        if (good != (theirs != NULL && !has_nul) || (good && !json_equal(ours, theirs))) {
            fail_msg("we differ on: %s", text.data);
        }
        accepted += good ? 1 : 0;
        refused += good ? 0 : 1;
    }
    sl_buf_deinit(&text);
    assert_true(accepted > 10000 && refused > 10000); /* neither side is proved by luck */
}

static void the_last_of_twice_the_same_key_counts(void **state)
{
    (void)state;
    SL_JSON_AUTO *json = parsed("{\"a\":1,\"b\":2,\"a\":3}");
    int64_t value = 0;
    assert_true(sl_json_int(json, "a", &value));
    assert_int_equal(value, 3);
}

static void reading_by_path(void **state)
{
    (void)state;
    SL_JSON_AUTO *json =
        parsed("{\"data\":{\"items\":[{\"id\":\"si_1\"},{\"id\":\"si_2\"}],\"nul\":null,\"7\":\"seven\"}}");
    assert_str_is(sl_json_str(json, "data.items.1.id"), "si_2");
    assert_str_is(sl_json_str(json, "data.7"), "seven");
    assert_true(json_is_null(sl_json_at(json, "data.nul")));
    assert_ptr_equal(sl_json_at(json, ""), json);
    static const char *const ABSENT[] = {
        "data.items.2.id", "data.items.-1", "data.items.x",      "data.none",
        "data.nul.x",      "data..items",   "data.items.1.id.x", "data.items.99999999999999999999"};
    for (size_t i = 0; i < SL_ARRAY_LEN(ABSENT); i++) {
        assert_null(sl_json_at(json, ABSENT[i]));
        assert_true(sl_str_empty(sl_json_str(json, ABSENT[i])));
    }
    assert_null(sl_json_at(NULL, "a"));
    assert_true(sl_str_empty(sl_json_str(json, "data"))); /* another type */
}

static void integers(void **state)
{
    (void)state;
    SL_JSON_AUTO *json = parsed("{\"i\":-5,\"max\":9223372036854775807,\"r\":12.0,\"e\":1e3,\"f\":1.5,\"s\":\"1\","
                                "\"big\":9.3e18,\"low\":-9223372036854775808.0,\"t\":true}");
    static const struct {
        const char *path;
        bool good;
        int64_t value;
    } CASES[] = {
        {"i", true, -5}, {"max", true, INT64_MAX}, {"r", true, 12},          {"e", true, 1000}, {"f", false, 0},
        {"s", false, 0}, {"big", false, 0},        {"low", true, INT64_MIN}, {"t", false, 0},   {"none", false, 0},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(CASES); i++) {
        int64_t value = 77;
        assert_int_equal(sl_json_int(json, CASES[i].path, &value), CASES[i].good);
        assert_int_equal(value, CASES[i].good ? CASES[i].value : 77);
    }
}

static void booleans_ids_and_uuids(void **state)
{
    (void)state;
    SL_JSON_AUTO *json = parsed("{\"yes\":true,\"no\":false,\"n\":-9223372036854775808,\"s\":\"run_1\",\"r\":1.5,"
                                "\"u\":\"00112233-4455-6677-8899-AABBCCDDEEFF\"}");
    assert_true(sl_json_bool(json, "yes", false));
    assert_false(sl_json_bool(json, "no", true));
    assert_true(sl_json_bool(json, "none", true));
    assert_false(sl_json_bool(json, "s", false));
    char storage[24];
    assert_str_is(sl_json_id(json, "n", storage), "-9223372036854775808");
    assert_str_is(sl_json_id(json, "s", storage), "run_1");
    assert_str_is(sl_json_id(json, "r", storage), "");
    assert_str_is(sl_json_id(json, "none", storage), "");
    struct sl_uuid uuid;
    assert_true(sl_json_uuid(json, "u", &uuid));
    assert_int_equal(uuid.bytes[15], 0xFF);
    assert_false(sl_json_uuid(json, "s", &uuid));
    assert_false(sl_json_uuid(json, "none", &uuid));
}

static void writing_is_compact_and_keeps_the_order(void **state)
{
    (void)state;
    SL_JSON_AUTO *json = parsed("{ \"z\": [1, 2.5, null], \"a\": {\"k\": \"\\u00e4/\\n\"} }");
    struct sl_buf out;
    sl_buf_init(&out, 100);
    assert_true(sl_json_write(json, &out));
    assert_str_is(sl_buf_str(&out), "{\"z\":[1,2.5,null],\"a\":{\"k\":\"ä/\\n\"}}");
    sl_buf_deinit(&out);
    sl_buf_init(&out, 10);
    assert_false(sl_json_write(json, &out));
    assert_true(out.overflow);
    sl_buf_deinit(&out);
}

static void strings_are_escaped(void **state)
{
    (void)state;
    static const struct {
        struct sl_str text;
        const char *expected;
    } CASES[] = {
        {{NULL, 0}, "\"\""},
        {{"a\"b\\c/", 6}, "\"a\\\"b\\\\c/\""},
        {{"\n\r\t\x01\x1F", 5}, "\"\\n\\r\\t\\u0001\\u001f\""},
        {{"a\0b", 3}, "\"a\\u0000b\""},
        {{"\x7F\xC2\x9B", 3}, "\"\\u007f\\u009b\""}, /* DEL and CSI: terminals obey them */
        {{"ä€\xF0\x9F\x9A\x80", 9}, "\"ä€\xF0\x9F\x9A\x80\""},
        {{"x\xFFy\xC3", 4}, "\"x\xEF\xBF\xBDy\xEF\xBF\xBD\""},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(CASES); i++) {
        struct sl_buf out;
        sl_buf_init(&out, 100);
        assert_true(sl_json_write_str(&out, CASES[i].text));
        assert_str_is(sl_buf_str(&out), CASES[i].expected);
        json_t *json = json_loadb(out.data, out.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(json);
        json_decref(json);
        sl_buf_deinit(&out);
    }
    for (size_t len_max = 0; len_max < 7; len_max++) {
        struct sl_buf out;
        sl_buf_init(&out, len_max);
        assert_false(sl_json_write_str(&out, SL_STR("abc\xFF"
                                                    "d")));
        sl_buf_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_text_is_refused_with_its_place_and_unquoted),
        cmocka_unit_test(the_size_is_limited),
        cmocka_unit_test(the_depth_is_limited),
        cmocka_unit_test(brackets_in_strings_are_no_depth),
        cmocka_unit_test(otherwise_we_agree_with_jansson),
        cmocka_unit_test(the_last_of_twice_the_same_key_counts),
        cmocka_unit_test(reading_by_path),
        cmocka_unit_test(integers),
        cmocka_unit_test(booleans_ids_and_uuids),
        cmocka_unit_test(writing_is_compact_and_keeps_the_order),
        cmocka_unit_test(strings_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
