/* verify_github.c - GitHub's webhook signature, also used by the provisioning workflow's callbacks. See verify.h. */
#include "common/sign.h"
#include "ingress/verify.h"

#define HEADER "x-hub-signature-256"

struct github_match {
    uint8_t signature[SL_SHA256_BYTES];
    const struct sl_secrets *secrets;
};

static bool find_secret(const struct github_match *match, struct sl_str body, size_t *ret_index)
{
    bool found = false;
    for (size_t i = match->secrets->count; i-- > 0;) {
        uint8_t mac[SL_SHA256_BYTES];
        sl_sign_hmac_sha256(sl_secret_borrow(match->secrets->items[i]), &body, 1, mac);
        if (sl_sign_equal(mac, match->signature, SL_SHA256_BYTES)) {
            found = true;
            *ret_index = i;
        }
    }
    return found;
}

static bool matches(const void *arg, struct sl_str body)
{
    size_t index = 0;
    return find_secret(arg, body, &index);
}

struct verdict verify_github(const struct verify_request *request)
{
    static const struct sl_str prefix = {.ptr = "sha256=", .len = 7};
    struct verdict verdict = {.cause = VERIFY_OK};
    if (request->secrets->count == 0) {
        verdict.cause = VERIFY_NO_SECRET;
        return verdict;
    }
    size_t count = headers_count(request->headers, HEADER);
    struct sl_str text = headers_get(request->headers, HEADER);
    struct github_match match = {.secrets = request->secrets};
    if (count == 0) {
        verdict.cause = VERIFY_NO_HEADER;
        return verdict;
    }
    if (count != 1 || !sl_str_starts_with(text, prefix) ||
        !sl_sign_unhex((struct sl_str){.ptr = text.ptr + prefix.len, .len = text.len - prefix.len}, true,
                       match.signature, SL_SHA256_BYTES)) {
        verdict.cause = VERIFY_MALFORMED;
        return verdict;
    }
    if (!find_secret(&match, request->body, &verdict.secret_index)) {
        bool altered = request->diagnose && verify_is_altered(request->body, matches, &match);
        verdict.cause = altered ? VERIFY_ALTERED : VERIFY_NO_MATCH;
    }
    return verdict;
}
