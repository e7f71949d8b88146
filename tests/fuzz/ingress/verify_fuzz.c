/* verify_fuzz.c - any header and any body: no verifier says OK to what the secret's holder hasn't signed, none crashes.
 *
 * Input: the header's value, a NUL, the body. Nobody knows the secret, so that an OK is a forgery found.
 */
#include <string.h>

#include "ingress/verify.h"
#include "web/verify_jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_S INT64_C(1763712000)

static void expect_refused(struct verdict verdict)
{
    SL_ASSERT(verdict.cause > VERIFY_OK && verdict.cause < VERIFY_CAUSE_COUNT);
    SL_ASSERT(verify_cause_name(verdict.cause)[0] != '\0');
}

static void judge(verifier *verify, const char *header, struct sl_str value, struct sl_str body)
{
    struct headers headers = {.count = 0};
    struct sl_secrets secrets;
    SL_ASSERT(sl_secrets_init(&secrets, SL_STR("whsec_bm9ib2R5IGtub3dzIHRoaXMgb25l,YW5vdGhlcg==")));
    SL_ASSERT(headers_add(&headers, sl_str_of(header), value));
    if (verify == verify_standard) {
        SL_ASSERT(headers_add(&headers, SL_STR("webhook-id"), SL_STR("msg_1")));
        SL_ASSERT(headers_add(&headers, SL_STR("webhook-timestamp"), SL_STR("1763712000")));
    }
    struct verify_request request = {
        .headers = &headers, .body = body, .secrets = &secrets, .now_s = NOW_S, .tolerance_s = 300, .diagnose = true};
    expect_refused(verify(&request));
    sl_secrets_deinit(&secrets);
}

static void judge_token(struct sl_str value)
{
    struct headers headers = {.count = 0};
    struct sl_secrets secrets;
    struct sl_arena *arena = sl_arena_create((size_t)1 << 20);
    struct jwt_caller caller;
    SL_ASSERT(sl_secrets_init(&secrets, SL_STR("nobody knows this one")));
    SL_ASSERT(headers_add(&headers, SL_STR("authorization"),
                          sl_arena_printf(arena, "Bearer %s", sl_arena_cstr(arena, value))));
    struct jwt_policy policy = {.secrets = &secrets};
    expect_refused(verify_jwt(&headers, &policy, NOW_S, arena, &caller));
    sl_secrets_deinit(&secrets);
    sl_arena_destroy(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, 0, size) : NULL;
    struct sl_str value = {.ptr = (const char *)data, .len = end ? (size_t)(end - data) : size};
    struct sl_str body = SL_STR_NONE;
    if (end)
        body = (struct sl_str){.ptr = (const char *)end + 1, .len = size - value.len - 1};
    judge(verify_stripe, "stripe-signature", value, body);
    judge(verify_github, "x-hub-signature-256", value, body);
    judge(verify_standard, "webhook-signature", value, body);
    judge_token(value);
    return 0;
}
