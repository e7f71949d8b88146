/* seal_test.c - a published vector, and what must not open: other keys, other contexts, altered texts. */
#include "tests/unit/cmocka_all.h"

#include "common/seal.h"

/* McGrew and Viega, "The Galois/Counter Mode of Operation", test case 16: key, nonce, context, text and what they
 * give. */
#define KEY_BASE64 "/v/pkoZlcxxtao+UZzCDCP7/6ZKGZXMcbWqPlGcwgwg="
#define OTHER_KEY  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define SEALED                                                                                                         \
    "yv66vvrO263eyviIdvxuzg9OF2jN34hTuy1VG1ItwfCZVn0H9H83oyqEQn1kOozcv+XAyXWYor0lVdGqjLCOSFkNuz2nsIsQVoKIOMX2HmOTuno"  \
    "KvMn2Yg=="
static const uint8_t NONCE[SL_SEAL_NONCE_BYTES] = {0xca, 0xfe, 0xba, 0xbe, 0xfa, 0xce,
                                                   0xdb, 0xad, 0xde, 0xca, 0xf8, 0x88};
#define CONTEXT SL_STR("\xfe\xed\xfa\xce\xde\xad\xbe\xef\xfe\xed\xfa\xce\xde\xad\xbe\xef\xab\xad\xda\xd2")
#define TEXT                                                                                                           \
    SL_STR("\xd9\x31\x32\x25\xf8\x84\x06\xe5\xa5\x59\x09\xc5\xaf\xf5\x26\x9a\x86\xa7\xa9\x53\x15\x34\xf7\xda\x2e\x4c"  \
           "\x30\x3d\x8a\x31\x8a\x72\x1c\x3c\x0c\x95\x95\x68\x09\x53\x2f\xcf\x0e\x24\x49\xa6\xb5\x25\xb1\x6a\xed\xf5"  \
           "\xaa\x0d\xe6\x57\xba\x63\x7b\x39")

static struct sl_seal_ring *ring_of(const char *keys)
{
    struct sl_seal_ring *ring = NULL;
    struct sl_err err = {0};
    assert_true(sl_seal_ring_create(sl_str_of(keys), &ring, &err));
    return ring;
}

static bool opens(const struct sl_seal_ring *ring, struct sl_str sealed, struct sl_str context, const char *why)
{
    struct sl_buf out;
    struct sl_err err = {0};
    sl_buf_init(&out, SL_SEAL_TEXT_MAX);
    bool ok = sl_seal_open(ring, sealed, context, &out, &err);
    if (ok) {
        assert_true(sl_str_equal(sl_buf_str(&out), TEXT));
    } else {
        assert_int_equal(out.len, 0);
        assert_int_equal(err.error_class, SL_ERR_PERMANENT);
        assert_non_null(strstr(err.message, why));
    }
    sl_buf_deinit(&out);
    return ok;
}

static void the_published_vector(void **state)
{
    struct sl_seal_ring *ring = ring_of("2026:" KEY_BASE64);
    struct sl_buf out;
    (void)state;
    sl_buf_init(&out, SL_SEAL_SEALED_MAX);
    assert_true(sl_seal(ring, NONCE, CONTEXT, TEXT, &out));
    assert_str_is(sl_buf_str(&out), "2026:" SEALED);
    assert_true(opens(ring, sl_buf_str(&out), CONTEXT, ""));
    sl_buf_deinit(&out);
    sl_seal_ring_destroy(ring);
}

static void an_old_key_opens_and_the_first_one_seals(void **state)
{
    struct sl_seal_ring *ring = ring_of(" new:" OTHER_KEY " , 2026:" KEY_BASE64 ",");
    struct sl_buf out;
    (void)state;
    assert_true(opens(ring, SL_STR("2026:" SEALED), CONTEXT, ""));
    sl_buf_init(&out, SL_SEAL_SEALED_MAX);
    assert_true(sl_seal(ring, NONCE, CONTEXT, TEXT, &out));
    assert_true(sl_str_starts_with(sl_buf_str(&out), SL_STR("new:")));
    assert_true(opens(ring, sl_buf_str(&out), CONTEXT, ""));
    sl_buf_deinit(&out);
    sl_seal_ring_destroy(ring);
}

static void what_must_not_open(void **state)
{
    struct sl_seal_ring *ring = ring_of("2026:" KEY_BASE64);
    struct sl_seal_ring *namesake = ring_of("2026:" OTHER_KEY);
    char altered[] = "2026:" SEALED;
    (void)state;
    assert_false(opens(ring, SL_STR("2026:" SEALED), SL_STR("another workspace"), "altered"));
    assert_false(opens(ring, SL_STR("2026:" SEALED), SL_STR_NONE, "altered"));
    assert_false(opens(ring, SL_STR("2025:" SEALED), CONTEXT, "not among the data keys"));
    assert_false(opens(namesake, SL_STR("2026:" SEALED), CONTEXT, "altered"));
    assert_false(opens(ring, SL_STR("2026:"), CONTEXT, "malformed"));
    assert_false(opens(ring, SL_STR("2026:yv66vvrO263eyviIdvxuzg9OF2jN34hTuy1V"), CONTEXT, "malformed"));
    assert_false(opens(ring, SL_STR("2026:!"), CONTEXT, "malformed"));
    assert_false(opens(ring, SL_STR_NONE, CONTEXT, "not among"));
    for (size_t i = sizeof("2026:") - 1; i < sizeof(altered) - 4; i++) {
        char was = altered[i];
        altered[i] = was == 'A' ? 'B' : 'A';
        assert_false(opens(ring, sl_str_of(altered), CONTEXT, ""));
        altered[i] = was;
    }
    sl_seal_ring_destroy(ring);
    sl_seal_ring_destroy(namesake);
}

static void an_empty_text_and_the_longest(void **state)
{
    static char longest[SL_SEAL_TEXT_MAX + 1];
    struct sl_seal_ring *ring = ring_of("k:" KEY_BASE64);
    (void)state;
    for (size_t len = 0; len <= SL_SEAL_TEXT_MAX; len += SL_SEAL_TEXT_MAX) {
        struct sl_buf sealed, out;
        sl_buf_init(&sealed, SL_SEAL_SEALED_MAX);
        sl_buf_init(&out, SL_SEAL_TEXT_MAX);
        assert_true(sl_seal(ring, NONCE, SL_STR_NONE, (struct sl_str){longest, len}, &sealed));
        assert_true(sl_seal_open(ring, sl_buf_str(&sealed), SL_STR_NONE, &out, NULL));
        assert_int_equal(out.len, len);
        sl_buf_deinit(&sealed);
        sl_buf_deinit(&out);
    }
    struct sl_buf small;
    sl_buf_init(&small, 16);
    assert_false(sl_seal(ring, NONCE, SL_STR_NONE, TEXT, &small));
    assert_false(sl_seal(ring, NONCE, SL_STR_NONE, (struct sl_str){longest, sizeof(longest)}, &small));
    sl_buf_deinit(&small);
    sl_seal_ring_destroy(ring);
}

static void malformed_keys_are_refused_and_not_quoted(void **state)
{
    static const struct {
        const char *keys;
        const char *why;
    } ROWS[] = {
        {KEY_BASE64, "has no id"},
        {":" KEY_BASE64, "has no id"},
        {"a b:" KEY_BASE64, "has no id"},
        {"an-id-of-more-than-thirty-two-chars:" KEY_BASE64, "has no id"},
        {"k:", "not the base64"},
        {"k:c2hvcnQ=", "not the base64"},
        {"k:" KEY_BASE64 "AAAA", "not the base64"},
        {"k:" KEY_BASE64 ",k:" OTHER_KEY, "id of another"},
        {"k:" KEY_BASE64 ",l", "data key 2"},
        {"1:" KEY_BASE64 ",2:" KEY_BASE64 ",3:" KEY_BASE64 ",4:" KEY_BASE64 ",5:" KEY_BASE64 ",6:" KEY_BASE64
         ",7:" KEY_BASE64 ",8:" KEY_BASE64 ",9:" KEY_BASE64,
         "more than 8"},
    };
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        struct sl_seal_ring *ring = NULL;
        struct sl_err err = {0};
        assert_false(sl_seal_ring_create(sl_str_of(ROWS[i].keys), &ring, &err));
        assert_null(ring);
        assert_int_equal(err.error_class, SL_ERR_PERMANENT);
        assert_non_null(strstr(err.message, ROWS[i].why));
        assert_null(strstr(err.message, "pkoZ"));
    }
}

static void without_keys(void **state)
{
    struct sl_seal_ring *ring = ring_of("");
    struct sl_seal_ring *full = ring_of("k:" KEY_BASE64);
    (void)state;
    assert_true(sl_seal_ring_is_empty(ring));
    assert_false(sl_seal_ring_is_empty(full));
    assert_false(opens(ring, SL_STR("2026:" SEALED), CONTEXT, "not among"));
    sl_seal_ring_destroy(ring);
    sl_seal_ring_destroy(full);
    sl_seal_ring_destroy(NULL);
}

/* Python: hmac.new(key, b"invite\0/api\0e-1", "sha256") */
static void the_mac_has_a_nul_between_its_parts(void **state)
{
    const struct sl_str parts[] = {SL_STR("invite"), SL_STR("/api"), SL_STR("e-1")};
    struct sl_seal_ring *ring = ring_of("k:" KEY_BASE64 ",l:" OTHER_KEY);
    uint8_t mac[SL_SHA256_BYTES];
    char text[SL_SHA256_HEX_BYTES];
    (void)state;
    sl_seal_mac(ring, parts, SL_ARRAY_LEN(parts), mac);
    sl_sign_hex(mac, sizeof(mac), text);
    assert_string_equal(text, "263433a2f09e30bc2ebb1da5bd1c356b24857ca4c41905a514c7eb625ef51048");
    sl_seal_ring_destroy(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vector),
        cmocka_unit_test(an_old_key_opens_and_the_first_one_seals),
        cmocka_unit_test(what_must_not_open),
        cmocka_unit_test(an_empty_text_and_the_longest),
        cmocka_unit_test(malformed_keys_are_refused_and_not_quoted),
        cmocka_unit_test(without_keys),
        cmocka_unit_test(the_mac_has_a_nul_between_its_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
