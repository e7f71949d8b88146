/* verify_test.c - of ingress/verify*.c: the shared vectors in proto/vectors, and what they can't say. */
#include "tests/unit/web/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/json.h"
#include "common/sign.h"
#include "ingress/verify.h"
#include "web/verify_jwt.h"

#define BODY "{\"id\":\"evt_1\",\"type\":\"invoice.paid\"}"
#define NOW  INT64_C(1763712000)
/* Python: hmac.new(b'whsec_new', b'1763712000.' + body, 'sha256'), and so on for the others. */
#define BY_NEW         "82bfc8b6dcacb07a958d5e21aee6b19d4bc177d282439fe0d7455e2da8d027fa"
#define BY_OLD         "a4d5e18fa85af10b892c5a5b4db9536a7b64144639b19142e0f36fc9c6b36c35"
#define OF_INDENTED    "68439ec1a1df45d285348830ba61b0dee27fd37e4d85e09fc3ac776e5324e525"
#define OF_SPACED_LINE "d0c73fcc69e6b7a1d8aa427c3f8190faaa79595627655503dd2816347a6b5cd8"
#define TOO_OLD        "aa45af7e5a6859fd9cc4878af08e09a49e81a184fd4ebefa94f6c22ab9eaad2e"
#define TOO_NEW        "43bd6eab94f73ee91c54a3b5739f990306ef2888b743e7314fa6f198b6bfabcc"
#define JUST_IN_TIME   "2345782c940bb362f7347cab023001cf6a555c02c3b0b207c1cbee10d12c2abd"
#define UPPER          "82BFC8B6DCACB07A958D5E21AEE6B19D4BC177D282439FE0D7455E2DA8D027FA"
#define T              "t=1763712000,"

static const struct {
    const char *field;
    enum verify_cause cause;
    size_t secret_index;
    int64_t off_by_s;
} STRIPE[] = {
    {T "v1=" BY_NEW, VERIFY_OK, 0, 0},
    {T "v1=" BY_OLD, VERIFY_OK, 1, 0},
    {T "v0=abc,v1=" OF_INDENTED ",v1=" BY_OLD, VERIFY_OK, 1, 0},
    {T "v1=" BY_OLD ",v1=" BY_NEW, VERIFY_OK, 0, 0},
    {T "v1=nothex,v1=" BY_NEW, VERIFY_OK, 0, 0},
    {"v1=" BY_NEW ",t=1763712000", VERIFY_OK, 0, 0},
    {"t=1763711700,v1=" JUST_IN_TIME, VERIFY_OK, 0, 300},
    {"t=1763711699,v1=" TOO_OLD, VERIFY_STALE, 0, 301},
    {"t=1763712301,v1=" TOO_NEW, VERIFY_FUTURE, 0, 301},
    {"t=1763711699,v1=" BY_NEW, VERIFY_NO_MATCH, 0, 0}, /* forged and stale: the signature is judged first */
    {T "v1=" UPPER, VERIFY_NO_MATCH, 0, 0},
    {T "v1=" OF_INDENTED, VERIFY_ALTERED, 0, 0},
    {T "v1=" OF_SPACED_LINE, VERIFY_ALTERED, 0, 0},
    {T "v0=" BY_NEW, VERIFY_MALFORMED, 0, 0},
    {"v1=" BY_NEW, VERIFY_MALFORMED, 0, 0},
    {T "t=1763712000,v1=" BY_NEW, VERIFY_MALFORMED, 0, 0},
    {"t=,v1=" BY_NEW, VERIFY_MALFORMED, 0, 0},
    {"t=-1,v1=" BY_NEW, VERIFY_MALFORMED, 0, 0},
    {"t=99999999999999999999,v1=" BY_NEW, VERIFY_MALFORMED, 0, 0},
    {T "v1", VERIFY_MALFORMED, 0, 0},
    {"", VERIFY_MALFORMED, 0, 0},
    {NULL, VERIFY_NO_HEADER, 0, 0},
};

static struct verdict stripe(const char *field, bool twice, const char *secrets_text, bool diagnose)
{
    struct headers headers = {.count = 0};
    struct sl_secrets secrets;
    assert_true(sl_secrets_init(&secrets, sl_str_of(secrets_text)));
    for (int i = 0; field && i < (twice ? 2 : 1); i++)
        assert_true(headers_add(&headers, SL_STR("Stripe-Signature"), sl_str_of(field)));
    struct verify_request request = {.headers = &headers,
                                     .body = SL_STR(BODY),
                                     .secrets = &secrets,
                                     .now_s = NOW,
                                     .tolerance_s = 300,
                                     .diagnose = diagnose};
    struct verdict verdict = verify_stripe(&request);
    sl_secrets_deinit(&secrets);
    return verdict;
}

static void stripes_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(STRIPE); i++) {
        struct verdict verdict = stripe(STRIPE[i].field, false, "whsec_new,whsec_old", true);
        if (verdict.cause != STRIPE[i].cause)
            fail_msg("row %zu: %s", i, verify_cause_name(verdict.cause));
        assert_int_equal(verdict.secret_index, STRIPE[i].secret_index);
        assert_int_equal(verdict.off_by_s, STRIPE[i].off_by_s);
    }
}

static void the_rest_of_stripes(void **state)
{
    (void)state;
    assert_int_equal(stripe(T "v1=" BY_NEW, true, "whsec_new", true).cause, VERIFY_MALFORMED);
    assert_int_equal(stripe(T "v1=" BY_NEW, false, "", true).cause, VERIFY_NO_SECRET);
    assert_int_equal(stripe(T "v1=" OF_INDENTED, false, "whsec_new", false).cause, VERIFY_NO_MATCH);
    char many[2048] = "t=1763712000";
    for (int i = 0; i < 17; i++)
        (void)snprintf(many + strlen(many), sizeof(many) - strlen(many), ",v1=%s", OF_INDENTED);
    assert_int_equal(stripe(many, false, "whsec_new", false).cause, VERIFY_MALFORMED);
}

/* GitHub's own example: docs.github.com, "Validating webhook deliveries". */
static const struct {
    const char *field;
    enum verify_cause cause;
} GITHUB[] = {
    {"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", VERIFY_OK},
    {"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e18", VERIFY_NO_MATCH},
    {"sha256=757107EA0EB2509FC211221CCE984B8A37570B6D7586C22C46F4379C8B043E17", VERIFY_MALFORMED},
    {"757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", VERIFY_MALFORMED},
    {"sha1=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", VERIFY_MALFORMED},
    {"sha256=", VERIFY_MALFORMED},
    {NULL, VERIFY_NO_HEADER},
};

static void githubs_rows(void **state)
{
    (void)state;
    struct sl_secrets secrets;
    assert_true(sl_secrets_init(&secrets, SL_STR("another,It's a Secret to Everybody")));
    for (size_t i = 0; i < SL_ARRAY_LEN(GITHUB); i++) {
        struct headers headers = {.count = 0};
        if (GITHUB[i].field)
            assert_true(headers_add(&headers, SL_STR("X-Hub-Signature-256"), sl_str_of(GITHUB[i].field)));
        struct verify_request request = {.headers = &headers, .body = SL_STR("Hello, World!"), .secrets = &secrets};
        struct verdict verdict = verify_github(&request);
        if (verdict.cause != GITHUB[i].cause)
            fail_msg("row %zu: %s", i, verify_cause_name(verdict.cause));
        assert_int_equal(verdict.secret_index, verdict.cause == VERIFY_OK);
    }
    sl_secrets_deinit(&secrets);
}

/* The example of Standard Webhooks' own libraries. */
#define GOOD "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="

static const struct {
    const char *id, *timestamp, *signature;
    int64_t now_s;
    enum verify_cause cause;
} STANDARD[] = {
    {"msg_loFOjxBNrRLzqYUf", "1731705121", GOOD, 1731705121, VERIFY_OK},
    {"msg_loFOjxBNrRLzqYUf", "1731705121", "v1a,xyz v1,AAAA " GOOD, 1731705421, VERIFY_OK},
    {"msg_loFOjxBNrRLzqYUf", "1731705121", GOOD, 1731705422, VERIFY_STALE},
    {"msg_loFOjxBNrRLzqYUf", "1731705121", GOOD, 1731704820, VERIFY_FUTURE},
    {"msg_other", "1731705121", GOOD, 1731705121, VERIFY_NO_MATCH},
    {"msg_loFOjxBNrRLzqYUf", "1731705122", GOOD, 1731705121, VERIFY_NO_MATCH},
    {"msg_loFOjxBNrRLzqYUf.1731705121", "1731705121", GOOD, 1731705121, VERIFY_MALFORMED},
    {"msg_loFOjxBNrRLzqYUf", "now", GOOD, 1731705121, VERIFY_MALFORMED},
    {"msg_loFOjxBNrRLzqYUf", "1731705121", "rAvfW3dJ", 1731705121, VERIFY_MALFORMED},
    {"msg_loFOjxBNrRLzqYUf", "1731705121", "v2,rAvfW3dJ", 1731705121, VERIFY_MALFORMED},
    {"", "1731705121", GOOD, 1731705121, VERIFY_MALFORMED},
    {NULL, "1731705121", GOOD, 1731705121, VERIFY_NO_HEADER},
    {"msg_loFOjxBNrRLzqYUf", NULL, GOOD, 1731705121, VERIFY_NO_HEADER},
    {"msg_loFOjxBNrRLzqYUf", "1731705121", NULL, 1731705121, VERIFY_NO_HEADER},
};

static void standards_rows(void **state)
{
    (void)state;
    struct sl_secrets secrets;
    assert_true(sl_secrets_init(&secrets, SL_STR("not base64!,whsec_plJ3nmyCDGBKInavdOK15jsl")));
    for (size_t i = 0; i < SL_ARRAY_LEN(STANDARD); i++) {
        struct headers headers = {.count = 0};
        if (STANDARD[i].id)
            assert_true(headers_add(&headers, SL_STR("webhook-id"), sl_str_of(STANDARD[i].id)));
        if (STANDARD[i].timestamp)
            assert_true(headers_add(&headers, SL_STR("webhook-timestamp"), sl_str_of(STANDARD[i].timestamp)));
        if (STANDARD[i].signature)
            assert_true(headers_add(&headers, SL_STR("webhook-signature"), sl_str_of(STANDARD[i].signature)));
        struct verify_request request = {.headers = &headers,
                                         .body = SL_STR("{\"event_type\":\"ping\",\"data\":{\"success\":true}}"),
                                         .secrets = &secrets,
                                         .now_s = STANDARD[i].now_s,
                                         .tolerance_s = 300};
        struct verdict verdict = verify_standard(&request);
        if (verdict.cause != STANDARD[i].cause)
            fail_msg("row %zu: %s", i, verify_cause_name(verdict.cause));
    }
    sl_secrets_deinit(&secrets);
}

static bool never(const void *arg, struct sl_str body)
{
    (void)body;
    ++*(int *)(uintptr_t)arg;
    return false;
}

static void the_search_for_other_spellings_is_bounded(void **state)
{
    (void)state;
    int calls = 0;
    char *large = sl_malloc(VERIFY_ALTERED_BYTES_MAX + 1);
    memset(large, ' ', VERIFY_ALTERED_BYTES_MAX + 1);
    memcpy(large, "{}", 2);
    assert_false(verify_is_altered((struct sl_str){.ptr = large, .len = VERIFY_ALTERED_BYTES_MAX + 1}, never, &calls));
    assert_false(verify_is_altered(SL_STR("not JSON"), never, &calls));
    assert_false(verify_is_altered(SL_STR_NONE, never, &calls));
    assert_int_equal(calls, 0);
    assert_false(verify_is_altered(SL_STR("{\"a\":1}"), never, &calls));
    assert_in_range(calls, 1, 20);
    free(large);
}

/* The file is shared with other implementations of the same contract. */
static char *read_file(const char *path, size_t *ret_len)
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    char *text = sl_malloc(1 << 20);
    *ret_len = fread(text, 1, 1 << 20, file);
    (void)fclose(file);
    return text;
}

static struct verdict judge_case(const json_t *row, struct sl_str body, struct sl_arena *arena)
{
    struct headers headers = {.count = 0};
    struct sl_secrets secrets = {.count = 0};
    const char *name;
    json_t *value;
    size_t i;
    json_object_foreach(json_object_get(row, "headers"), name, value)
        assert_true(headers_add(&headers, sl_str_of(name), sl_str_of(json_string_value(value))));
    json_array_foreach(json_object_get(row, "secrets"), i, value) secrets.items[secrets.count++] =
        sl_secret_create(sl_str_of(json_string_value(value)));
    struct verify_request request = {.headers = &headers, .body = body, .secrets = &secrets, .diagnose = true};
    request.now_s = json_integer_value(json_object_get(row, "now_s"));
    request.tolerance_s = 300;
    struct sl_str source = sl_json_str(row, "source");
    struct jwt_policy policy = {.secrets = &secrets};
    struct jwt_caller caller;
    struct verdict verdict = sl_str_is(source, "stripe")   ? verify_stripe(&request)
                             : sl_str_is(source, "github") ? verify_github(&request)
                             : sl_str_is(source, "dashboard")
                                 ? verify_standard(&request)
                                 : verify_jwt(&headers, &policy, request.now_s, arena, &caller);
    sl_secrets_deinit(&secrets);
    return verdict;
}

static void the_shared_vectors(void **state)
{
    (void)state;
    size_t len = 0;
    char *text = read_file("proto/vectors/signatures.json", &len);
    SL_JSON_AUTO *rows = json_loadb(text, len, 0, NULL);
    assert_true(json_array_size(rows) > 10);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        struct sl_arena *arena = sl_arena_create(1 << 22);
        uint8_t *bytes = sl_malloc(1 << 20);
        size_t count = 0;
        struct sl_str body = sl_json_str(row, "body");
        if (json_object_get(row, "body_base64")) {
            assert_true(sl_sign_unbase64(sl_json_str(row, "body_base64"), bytes, 1 << 20, &count));
            body = (struct sl_str){.ptr = (const char *)bytes, .len = count};
        }
        struct verdict verdict = judge_case(row, body, arena);
        if (!sl_str_is(sl_json_str(row, "expect"), verify_cause_name(verdict.cause)))
            fail_msg("%s: %s", json_string_value(json_object_get(row, "name")), verify_cause_name(verdict.cause));
        int64_t index = 0;
        if (sl_json_int(row, "secret_index", &index))
            assert_int_equal(verdict.secret_index, index);
        free(bytes);
        sl_arena_destroy(arena);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stripes_rows),
        cmocka_unit_test(the_rest_of_stripes),
        cmocka_unit_test(githubs_rows),
        cmocka_unit_test(standards_rows),
        cmocka_unit_test(the_search_for_other_spellings_is_bounded),
        cmocka_unit_test(the_shared_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
