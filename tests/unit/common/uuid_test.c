/* uuid_test.c - parsing, formatting, v5 and v7 by their published examples. */
#include "tests/unit/cmocka_all.h"

#include "common/uuid.h"

static struct sl_uuid parsed(const char *text)
{
    struct sl_uuid uuid;
    assert_true(sl_uuid_parse(sl_str_of(text), &uuid));
    return uuid;
}

static void assert_uuid_is(struct sl_uuid uuid, const char *expected)
{
    char text[SL_UUID_TEXT_BYTES];
    sl_uuid_format(uuid, text);
    assert_string_equal(text, expected);
}

static void parsing_and_formatting(void **state)
{
    (void)state;
    assert_uuid_is(parsed("00112233-4455-6677-8899-aabbccddeeff"), "00112233-4455-6677-8899-aabbccddeeff");
    assert_uuid_is(parsed("00112233-4455-6677-8899-AABBCCDDEEFF"), "00112233-4455-6677-8899-aabbccddeeff");
    assert_true(sl_uuid_is_nil(parsed("00000000-0000-0000-0000-000000000000")));
    assert_false(sl_uuid_is_nil(parsed("00000000-0000-0000-0000-000000000001")));
}

static void what_is_not_canonical_is_refused(void **state)
{
    (void)state;
    static const char *const CASES[] = {
        "",
        "00112233-4455-6677-8899-aabbccddeef",
        "00112233-4455-6677-8899-aabbccddeefff",
        "0011223344556677-8899-aabbccddeeff--",
        "{0112233-4455-6677-8899-aabbccddeef}",
        "00112233_4455_6677_8899_aabbccddeeff",
        "00112233-4455-6677-8899-aabbccddeefg",
        "001122334455-6677-8899-aabb-ccddeeff",
        "00112233445566778899aabbccddeeff",
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(CASES); i++) {
        struct sl_uuid uuid = {{7}};
        assert_false(sl_uuid_parse(sl_str_of(CASES[i]), &uuid));
        assert_int_equal(uuid.bytes[0], 7);
    }
}

static void order_is_of_bytes(void **state)
{
    (void)state;
    const struct sl_uuid low = parsed("00000000-0000-0000-0000-000000000001");
    const struct sl_uuid high = parsed("f0000000-0000-0000-0000-000000000000");
    assert_true(sl_uuid_compare(low, high) < 0);
    assert_true(sl_uuid_compare(high, low) > 0);
    assert_int_equal(sl_uuid_compare(low, low), 0);
    assert_true(sl_uuid_equal(low, low));
    assert_false(sl_uuid_equal(low, high));
}

static void named_ids_are_those_of_others(void **state)
{
    (void)state;
    /* RFC 9562, appendix A.4 */
    const struct sl_uuid dns = parsed("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
    const struct sl_str name = SL_STR("www.example.com");
    assert_uuid_is(sl_uuid_v5(dns, &name, 1), "2ed6657d-e927-568b-95e1-2665a8aea6a2");

    /* Python: uuid.uuid5(space, "evt_1\0rule\0" "0"); these must never change */
    assert_uuid_is(SL_UUID_SPACE, "1f48c2d1-39ef-44d8-b3d3-334be353a737");
    const struct sl_str parts[] = {SL_STR("evt_1"), SL_STR("rule"), SL_STR("0")};
    assert_uuid_is(sl_uuid_v5(SL_UUID_SPACE, parts, 3), "a1ec2d25-9cc4-5a71-9f36-456820933865");
    assert_uuid_is(sl_uuid_v5(SL_UUID_SPACE, NULL, 0), "5104d143-78ff-5a82-af1d-467b4ec6062f");
}

static void parts_are_not_run_together(void **state)
{
    (void)state;
    const struct sl_str first[] = {SL_STR("a"), SL_STR("bc")};
    const struct sl_str second[] = {SL_STR("ab"), SL_STR("c")};
    assert_uuid_is(sl_uuid_v5(SL_UUID_SPACE, first, 2), "8331cd86-8885-5d4a-a581-9675460b6caa");
    assert_uuid_is(sl_uuid_v5(SL_UUID_SPACE, second, 2), "90e4cf0a-9349-5088-addb-a129464202fe");
}

static void timed_ids_carry_the_time(void **state)
{
    (void)state;
    /* RFC 9562, appendix A.6: the same time and random bits */
    const uint8_t random[10] = {0x0C, 0xC3, 0x18, 0xC4, 0xDC, 0x0C, 0x0C, 0x07, 0x39, 0x8F};
    assert_uuid_is(sl_uuid_v7(0x017F22E279B0, random), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    const uint8_t ones[10] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    assert_uuid_is(sl_uuid_v7(0, ones), "00000000-0000-7fff-bfff-ffffffffffff");
    const uint8_t zeros[10] = {0};
    assert_true(sl_uuid_compare(sl_uuid_v7(1000, ones), sl_uuid_v7(1001, zeros)) < 0);
}

static void random_bytes_differ(void **state)
{
    (void)state;
    uint8_t first[300], second[300]; /* above 256: more than one call may be needed */
    sl_random_bytes(first, sizeof(first));
    sl_random_bytes(second, sizeof(second));
    assert_memory_not_equal(first, second, sizeof(first));
    sl_random_bytes(first, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parsing_and_formatting),     cmocka_unit_test(what_is_not_canonical_is_refused),
        cmocka_unit_test(order_is_of_bytes),          cmocka_unit_test(named_ids_are_those_of_others),
        cmocka_unit_test(parts_are_not_run_together), cmocka_unit_test(timed_ids_carry_the_time),
        cmocka_unit_test(random_bytes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
