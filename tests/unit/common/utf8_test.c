/* utf8_test.c - well-formed and ill-formed sequences, and cutting between characters. */
#include "tests/unit/cmocka_all.h"

#include "common/utf8.h"

/* What UTF-8 says of a code point, written the other way round than utf8.c: from the number to the bytes. */
static size_t encode(uint32_t code, char ret_bytes[4])
{
    if (code < 0x80) {
        ret_bytes[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        ret_bytes[0] = (char)(0xC0 | code >> 6);
        ret_bytes[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        ret_bytes[0] = (char)(0xE0 | code >> 12);
        ret_bytes[1] = (char)(0x80 | (code >> 6 & 0x3F));
        ret_bytes[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    ret_bytes[0] = (char)(0xF0 | code >> 18);
    ret_bytes[1] = (char)(0x80 | (code >> 12 & 0x3F));
    ret_bytes[2] = (char)(0x80 | (code >> 6 & 0x3F));
    ret_bytes[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

static void every_code_point_but_surrogates_is_a_character(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 0x120000; code++) {
        char bytes[4];
        const struct sl_str text = {.ptr = bytes, .len = encode(code, bytes)};
        const bool good = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
        const size_t count = sl_utf8_bytes_at(text, 0);
        if (count != (good ? text.len : 0)) {
            fail_msg("U+%04X counts as %zu bytes", (unsigned)code, count);
        }
        if (good && sl_utf8_code_at(text, 0) != code) {
            fail_msg("U+%04X is read as another", (unsigned)code);
        }
        if (good && text.len > 1 && sl_utf8_is_valid((struct sl_str){.ptr = bytes, .len = text.len - 1})) {
            fail_msg("U+%04X without its end is accepted", (unsigned)code);
        }
    }
}

static void malformed_bytes_are_none(void **state)
{
    (void)state;
    static const struct sl_str CASES[] = {
        {"\x80", 1},             /* a tail alone */
        {"\xC0\x80", 2},         /* overlong NUL */
        {"\xC1\xBF", 2},         /* overlong */
        {"\xE0\x9F\xBF", 3},     /* overlong */
        {"\xED\xA0\x80", 3},     /* a surrogate */
        {"\xF0\x8F\xBF\xBF", 4}, /* overlong */
        {"\xF4\x90\x80\x80", 4}, /* above U+10FFFF */
        {"\xF5\x80\x80\x80", 4},
        {"\xFF", 1},
        {"\xE2\x82", 2}, /* cut */
        {"\xE2\x82X", 3},
        {"ok\xE2", 3},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(CASES); i++) {
        assert_false(sl_utf8_is_valid(CASES[i]));
        assert_false(sl_utf8_is_text(CASES[i]));
    }
    assert_int_equal(sl_utf8_bytes_at(SL_STR("a"), 1), 0);
    assert_int_equal(sl_utf8_bytes_at(SL_STR_NONE, 0), 0);
}

static void text_has_no_nul(void **state)
{
    (void)state;
    assert_true(sl_utf8_is_valid(SL_STR("a\0b")));
    assert_false(sl_utf8_is_text(SL_STR("a\0b")));
    assert_true(sl_utf8_is_text(SL_STR("Grüße, 世界 🚀")));
    assert_true(sl_utf8_is_text(SL_STR_NONE));
}

static void plain_text_has_no_control_characters(void **state)
{
    (void)state;
    assert_true(sl_utf8_is_plain(SL_STR("Grüße, 世界 🚀 ~")));
    assert_true(sl_utf8_is_plain(SL_STR_NONE));
    for (int byte = 0; byte < 0x80; byte++) {
        const char text[] = {'a', (char)byte, 'b'};
        assert_int_equal(sl_utf8_is_plain((struct sl_str){text, sizeof(text)}), byte >= 0x20 && byte != 0x7F);
    }
    assert_false(sl_utf8_is_plain(SL_STR("a\xFF")));
}

static void cutting_keeps_characters_whole(void **state)
{
    (void)state;
    const struct sl_str text = SL_STR("a€b"); /* 1 + 3 + 1 bytes */
    static const char *const EXPECTED[] = {"", "a", "a", "a", "a€", "a€b", "a€b"};
    for (size_t bytes_max = 0; bytes_max < SL_ARRAY_LEN(EXPECTED); bytes_max++) {
        assert_str_is(sl_utf8_cut(text, bytes_max), EXPECTED[bytes_max]);
    }
    assert_int_equal(sl_utf8_cut(SL_STR("\x80\x80\x80\x80\x80\x80"), 5).len, 5); /* no UTF-8: any place will do */
    assert_int_equal(sl_utf8_cut(SL_STR("\x80\x80"), 0).len, 0);
    assert_int_equal(sl_utf8_cut(SL_STR_NONE, 3).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_but_surrogates_is_a_character),
        cmocka_unit_test(malformed_bytes_are_none),
        cmocka_unit_test(text_has_no_nul),
        cmocka_unit_test(plain_text_has_no_control_characters),
        cmocka_unit_test(cutting_keeps_characters_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
