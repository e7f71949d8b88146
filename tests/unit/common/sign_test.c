/* sign_test.c - published vectors of MACs, digests and encodings. */
#include "tests/unit/cmocka_all.h"

#include "common/sign.h"

static void assert_mac_is(struct sl_str key, const struct sl_str *parts, size_t part_count, const char *expected)
{
    uint8_t mac[SL_SHA256_BYTES];
    char text[SL_SHA256_HEX_BYTES];
    sl_sign_hmac_sha256(key, parts, part_count, mac);
    sl_sign_hex(mac, sizeof(mac), text);
    assert_string_equal(text, expected);
}

static void macs_of_rfc_4231(void **state)
{
    (void)state;
    char key1[20], key6[131];
    memset(key1, 0x0B, sizeof(key1));
    memset(key6, 0xAA, sizeof(key6));
    const struct sl_str hi = SL_STR("Hi There");
    assert_mac_is((struct sl_str){key1, sizeof(key1)}, &hi, 1,
                  "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    const struct sl_str what = SL_STR("what do ya want for nothing?");
    assert_mac_is(SL_STR("Jefe"), &what, 1, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    const struct sl_str longer = SL_STR("Test Using Larger Than Block-Size Key - Hash Key First");
    assert_mac_is((struct sl_str){key6, sizeof(key6)}, &longer, 1,
                  "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void parts_are_joined_without_separator(void **state)
{
    (void)state;
    /* GitHub, "Validating webhook deliveries" */
    const struct sl_str parts[] = {SL_STR("Hello, "), SL_STR_NONE, SL_STR("World"), SL_STR("!")};
    assert_mac_is(SL_STR("It's a Secret to Everybody"), parts, 4,
                  "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
    /* Python: hmac.new(b"", b"", "sha256") */
    assert_mac_is(SL_STR_NONE, NULL, 0, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void digests(void **state)
{
    (void)state;
    char text[SL_SHA256_HEX_BYTES];
    sl_sign_sha256_hex(SL_STR("abc"), text); /* FIPS 180 */
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sl_sign_sha256_hex(SL_STR_NONE, text);
    assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void equality(void **state)
{
    (void)state;
    const uint8_t a[] = {1, 2, 3};
    const uint8_t b[] = {1, 2, 4};
    assert_true(sl_sign_equal(a, b, 2));
    assert_false(sl_sign_equal(a, b, 3));
}

static void hexadecimal(void **state)
{
    (void)state;
    uint8_t bytes[256], again[256];
    char text[513];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)i;
    }
    sl_sign_hex(bytes, sizeof(bytes), text);
    assert_true(sl_sign_unhex(sl_str_of(text), true, again, sizeof(again)));
    assert_memory_equal(bytes, again, sizeof(bytes));

    uint8_t two[2] = {9, 9};
    assert_true(sl_sign_unhex(SL_STR("aBCd"), false, two, 2));
    assert_int_equal(two[0] << 8 | two[1], 0xABCD);
    static const char *const BAD[] = {"aBCd", "abc", "abcde", "ab", "abcdef", "abcg", "ab d", "", "+1ab"};
    for (size_t i = 0; i < SL_ARRAY_LEN(BAD); i++) {
        uint8_t untouched[2] = {9, 9};
        assert_false(sl_sign_unhex(sl_str_of(BAD[i]), true, untouched, 2));
        assert_int_equal(untouched[0], 9);
    }
    assert_true(sl_sign_unhex(SL_STR_NONE, true, two, 0));
}

static void base64_of_rfc_4648(void **state)
{
    (void)state;
    static const struct {
        const char *plain;
        const char *encoded;
    } CASES[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(CASES); i++) {
        struct sl_buf out;
        sl_buf_init(&out, 100);
        sl_sign_base64(sl_str_of(CASES[i].plain), &out);
        assert_str_is(sl_buf_str(&out), CASES[i].encoded);
        sl_buf_deinit(&out);
        uint8_t bytes[6];
        size_t count = 99;
        assert_true(sl_sign_unbase64(sl_str_of(CASES[i].encoded), bytes, sizeof(bytes), &count));
        assert_int_equal(count, strlen(CASES[i].plain));
        assert_memory_equal(bytes, CASES[i].plain, count);
    }
}

static void base64_takes_every_byte(void **state)
{
    (void)state;
    char bytes[256];
    uint8_t again[256];
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        for (size_t i = 0; i < len; i++) {
            bytes[i] = (char)(255 - i);
        }
        struct sl_buf out;
        sl_buf_init(&out, 1000);
        sl_sign_base64((struct sl_str){.ptr = bytes, .len = len}, &out);
        size_t count = 0;
        assert_true(sl_sign_unbase64(sl_buf_str(&out), again, sizeof(again), &count));
        assert_int_equal(count, len);
        assert_true(sl_sign_equal((const uint8_t *)bytes, again, len));
        sl_buf_deinit(&out);
    }
}

static void base64_is_strict(void **state)
{
    (void)state;
    static const char *const BAD[] = {"Zg",   "Zg=",      "Zg===",    "=Zg=", "Z=g=", "Zh==", "Zm9=", "Zm9v\n",
                                      " Zg=", "Zm9v====", "Zg==Zg==", "Zm-v", "Zm_v", "====", "=",    "Zm9vYg="};
    for (size_t i = 0; i < SL_ARRAY_LEN(BAD); i++) {
        uint8_t bytes[16] = {77};
        size_t count = 99;
        if (sl_sign_unbase64(sl_str_of(BAD[i]), bytes, sizeof(bytes), &count)) {
            fail_msg("\"%s\" is accepted", BAD[i]);
        }
        assert_int_equal(count, 99);
        assert_int_equal(bytes[0], 77);
    }
    uint8_t small[2];
    size_t count = 99;
    assert_false(sl_sign_unbase64(SL_STR("Zm9v"), small, sizeof(small), &count));
    assert_true(sl_sign_unbase64(SL_STR("Zm8="), small, sizeof(small), &count));
    assert_int_equal(count, 2);
}

static void base64_into_a_full_buffer_overflows(void **state)
{
    (void)state;
    struct sl_buf out;
    sl_buf_init(&out, 7);
    sl_sign_base64(SL_STR("foob"), &out);
    assert_true(out.overflow);
    sl_buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(macs_of_rfc_4231),
        cmocka_unit_test(parts_are_joined_without_separator),
        cmocka_unit_test(digests),
        cmocka_unit_test(equality),
        cmocka_unit_test(hexadecimal),
        cmocka_unit_test(base64_of_rfc_4648),
        cmocka_unit_test(base64_takes_every_byte),
        cmocka_unit_test(base64_is_strict),
        cmocka_unit_test(base64_into_a_full_buffer_overflows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
