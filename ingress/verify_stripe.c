/* verify_stripe.c - Stripe's webhook signature. See verify.h. */
#include "common/sign.h"
#include "ingress/verify.h"

#define SIGNATURES_MAX    16
#define SIGNATURE_HEX_LEN 64
#define TIMESTAMP_LEN_MAX 12

struct stripe_header {
    struct sl_str timestamp; /* as sent: it is part of what was signed */
    int64_t timestamp_s;
    uint8_t signatures[SIGNATURES_MAX][SL_SHA256_BYTES];
    size_t signature_count;
};

struct stripe_match {
    const struct stripe_header *header;
    const struct sl_secrets *secrets;
};

/* Parts of other schemes (v0) and v1 parts that are no digest are passed over, as Stripe's own libraries do. */
static bool parse(struct sl_str text, struct stripe_header *header)
{
    bool has_timestamp = false;
    bool has_v1 = false;
    while (!sl_str_empty(text)) {
        struct sl_str value = sl_str_cut(&text, ',');
        size_t part_len = value.len;
        struct sl_str name = sl_str_cut(&value, '=');
        if (name.len == part_len)
            return false;
        if (sl_str_is(name, "t")) {
            if (has_timestamp || value.len == 0 || value.len > TIMESTAMP_LEN_MAX || value.ptr[0] == '-' ||
                !sl_str_to_int64(value, &header->timestamp_s))
                return false;
            header->timestamp = value;
            has_timestamp = true;
        } else if (sl_str_is(name, "v1")) {
            has_v1 = true;
            if (header->signature_count == SIGNATURES_MAX)
                return false;
            if (value.len == SIGNATURE_HEX_LEN &&
                sl_sign_unhex(value, true, header->signatures[header->signature_count], SL_SHA256_BYTES))
                header->signature_count++;
        }
    }
    return has_timestamp && has_v1;
}

/* Tries every secret with every signature, all of them, so that the time tells nothing. */
static bool find_secret(const struct stripe_match *match, struct sl_str body, size_t *ret_index)
{
    bool found = false;
    const struct sl_str parts[] = {match->header->timestamp, SL_STR("."), body};
    for (size_t i = match->secrets->count; i-- > 0;) {
        uint8_t mac[SL_SHA256_BYTES];
        sl_sign_hmac_sha256(sl_secret_borrow(match->secrets->items[i]), parts, SL_ARRAY_LEN(parts), mac);
        for (size_t j = 0; j < match->header->signature_count; j++) {
            if (sl_sign_equal(mac, match->header->signatures[j], SL_SHA256_BYTES)) {
                found = true;
                *ret_index = i;
            }
        }
    }
    return found;
}

static bool matches(const void *arg, struct sl_str body)
{
    size_t index = 0;
    return find_secret(arg, body, &index);
}

struct verdict verify_stripe(const struct verify_request *request)
{
    struct verdict verdict = {.cause = VERIFY_OK};
    struct stripe_header header = {0};
    size_t count = headers_count(request->headers, "stripe-signature");
    if (request->secrets->count == 0) {
        verdict.cause = VERIFY_NO_SECRET;
        return verdict;
    }
    if (count != 1 || !parse(headers_get(request->headers, "stripe-signature"), &header)) {
        verdict.cause = count == 0 ? VERIFY_NO_HEADER : VERIFY_MALFORMED;
        return verdict;
    }
    struct stripe_match match = {.header = &header, .secrets = request->secrets};
    if (!find_secret(&match, request->body, &verdict.secret_index)) {
        bool altered = request->diagnose && verify_is_altered(request->body, matches, &match);
        verdict.cause = altered ? VERIFY_ALTERED : VERIFY_NO_MATCH;
        return verdict;
    }
    int64_t age_s = request->now_s - header.timestamp_s;
    if (age_s > request->tolerance_s)
        verdict.cause = VERIFY_STALE;
    else if (-age_s > request->tolerance_s)
        verdict.cause = VERIFY_FUTURE;
    verdict.off_by_s = age_s < 0 ? -age_s : age_s;
    return verdict;
}
