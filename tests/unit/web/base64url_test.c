/* base64url_test.c - of web/base64url.c. Vectors: RFC 4648, section 10, in the other alphabet. */
#include "tests/unit/web/check.h"

#include "web/base64url.h"

static const struct {
    const char *text, *bytes; /* NULL: refused */
} ROWS[] = {
    {"", ""},           {"Zg", "f"},          {"Zm8", "fo"},          {"Zm9v", "foo"},
    {"Zm9vYg", "foob"}, {"Zm9vYmE", "fooba"}, {"Zm9vYmFy", "foobar"}, {"_-8", "\xff\xef"},
    {"Z", NULL},        {"Zg==", NULL},       {"Zh", NULL},           {"Zm9", NULL},
    {"Zm+v", NULL},     {"Zm/v", NULL},       {"Zm v", NULL},         {"Zm9vZ", NULL},
};

static void decodes_strictly(void **state)
{
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        uint8_t bytes[16];
        size_t count = 99;
        bool ok = base64url_decode(sl_str_of(ROWS[i].text), bytes, sizeof(bytes), &count);
        if (ok != (ROWS[i].bytes != NULL))
            fail_msg("row %zu: %s", i, ROWS[i].text);
        if (ok)
            assert_str(((struct sl_str){.ptr = (const char *)bytes, .len = count}), ROWS[i].bytes);
    }
}

static void keeps_within_its_room(void **state)
{
    (void)state;
    uint8_t bytes[5];
    size_t count = 0;
    assert_true(base64url_decode(SL_STR("Zm9vYmE"), bytes, 5, &count));
    assert_false(base64url_decode(SL_STR("Zm9vYmE"), bytes, 4, &count));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(decodes_strictly), cmocka_unit_test(keeps_within_its_room)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
