/* verify_standard.c - the Standard Webhooks signature (also Svix's). See verify.h. */
#include "common/sign.h"
#include "ingress/verify.h"

#define SIGNATURES_MAX    16
#define SECRET_BYTES_MAX  128
#define TIMESTAMP_LEN_MAX 12
#define ID_LEN_MAX        255

struct standard_header {
    struct sl_str id;
    struct sl_str timestamp;
    int64_t timestamp_s;
    uint8_t signatures[SIGNATURES_MAX][SL_SHA256_BYTES];
    size_t signature_count;
};

struct standard_match {
    const struct standard_header *header;
    const struct sl_secrets *secrets;
};

/* "v1,<base64> v1a,<base64>": signatures of other versions, and those of another length, are passed over. */
static bool parse_signatures(struct sl_str text, struct standard_header *header)
{
    bool has_v1 = false;
    while (!sl_str_empty(text)) {
        struct sl_str value = sl_str_cut(&text, ' ');
        if (sl_str_empty(value))
            continue;
        size_t part_len = value.len;
        struct sl_str version = sl_str_cut(&value, ',');
        if (version.len == part_len)
            return false;
        if (!sl_str_is(version, "v1"))
            continue;
        has_v1 = true;
        if (header->signature_count == SIGNATURES_MAX)
            return false;
        size_t count = 0;
        if (sl_sign_unbase64(value, header->signatures[header->signature_count], SL_SHA256_BYTES, &count) &&
            count == SL_SHA256_BYTES)
            header->signature_count++;
    }
    return has_v1;
}

static enum verify_cause parse(const struct headers *headers, struct standard_header *header)
{
    static const char *const names[] = {"webhook-id", "webhook-timestamp", "webhook-signature"};
    for (size_t i = 0; i < SL_ARRAY_LEN(names); i++) {
        if (!headers_has(headers, names[i]))
            return VERIFY_NO_HEADER;
    }
    for (size_t i = 0; i < SL_ARRAY_LEN(names); i++) {
        if (headers_count(headers, names[i]) != 1)
            return VERIFY_MALFORMED;
    }
    header->id = headers_get(headers, "webhook-id");
    header->timestamp = headers_get(headers, "webhook-timestamp");
    /* A dot in the id would let one signed text be read as two pairs of id and time. */
    struct sl_str rest = header->id;
    struct sl_str before_dot = sl_str_cut(&rest, '.');
    bool good = headers_value_is_plain(header->id, ID_LEN_MAX, false) && before_dot.len == header->id.len &&
                header->timestamp.len > 0 && header->timestamp.len <= TIMESTAMP_LEN_MAX &&
                header->timestamp.ptr[0] != '-' && sl_str_to_int64(header->timestamp, &header->timestamp_s) &&
                parse_signatures(headers_get(headers, "webhook-signature"), header);
    return good ? VERIFY_OK : VERIFY_MALFORMED;
}

static bool find_secret(const struct standard_match *match, struct sl_str body, size_t *ret_index)
{
    static const struct sl_str prefix = {.ptr = "whsec_", .len = 6};
    bool found = false;
    const struct sl_str parts[] = {match->header->id, SL_STR("."), match->header->timestamp, SL_STR("."), body};
    for (size_t i = match->secrets->count; i-- > 0;) {
        struct sl_str text = sl_secret_borrow(match->secrets->items[i]);
        if (sl_str_starts_with(text, prefix))
            text = (struct sl_str){.ptr = text.ptr + prefix.len, .len = text.len - prefix.len};
        uint8_t key[SECRET_BYTES_MAX];
        size_t key_bytes = 0;
        if (!sl_sign_unbase64(text, key, sizeof(key), &key_bytes) || key_bytes == 0)
            continue;
        uint8_t mac[SL_SHA256_BYTES];
        sl_sign_hmac_sha256((struct sl_str){.ptr = (const char *)key, .len = key_bytes}, parts, SL_ARRAY_LEN(parts),
                            mac);
        sl_secret_wipe(key, sizeof(key));
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

struct verdict verify_standard(const struct verify_request *request)
{
    struct standard_header header = {0};
    struct verdict verdict = {.cause = request->secrets->count == 0 ? VERIFY_NO_SECRET : VERIFY_OK};
    if (verdict.cause == VERIFY_OK)
        verdict.cause = parse(request->headers, &header);
    if (verdict.cause != VERIFY_OK)
        return verdict;
    struct standard_match match = {.header = &header, .secrets = request->secrets};
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
