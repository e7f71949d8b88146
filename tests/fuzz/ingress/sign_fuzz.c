/* sign_fuzz.c - any header, with true signatures put into it, against a signer of the harness's own (OpenSSL's HMAC).
 *
 * A verifier says OK only where one of the header's signatures is what the signer makes of this body, this time (and
 * this id) under one of the secrets, within the tolerance, and the header came once; and it says OK to what the signer
 * itself sends.
 *
 * Input: a byte that chooses the scheme and what is odd; two of the clock; the id, up to the next NUL; the header, up
 * to the next, in which \1 \2 \3 stand for the signature by the first, the second, and nobody's secret, \4 for the time
 * and \5 for what the signer sends; the body.
 */
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

#include "common/buf.h"
#include "ingress/verify.h"
#include "tests/fuzz/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_S       INT64_C(1763712000)
#define TOLERANCE_S 300
#define MAC_BYTES   32
#define SECRETS     "whsec_bm9ib2R5IGtub3dzIHRoaXMgb25l,whsec_YW5vdGhlcg=="

static const char *const SECRET_TEXTS[] = {"whsec_bm9ib2R5IGtub3dzIHRoaXMgb25l", "whsec_YW5vdGhlcg==", "whsec_bm8="};
static const char *const SECRET_KEYS[] = {"nobody knows this one", "another", "no"};

enum scheme { STRIPE = 0, GITHUB, STANDARD, SCHEME_COUNT };

struct message {
    enum scheme scheme;
    int64_t sent_s;
    char time[24]; /* as sent */
    struct sl_str id, body;
};

/* The signature as text, hexadecimal or base64, by the secret of that index. */
static void sign(const struct message *message, size_t secret, char ret_text[MAC_BYTES * 2 + 1])
{
    bool is_standard = message->scheme == STANDARD;
    const char *key = is_standard ? SECRET_KEYS[secret] : SECRET_TEXTS[secret];
    unsigned char mac[MAC_BYTES];
    unsigned mac_bytes = 0;
    struct sl_buf text;
    sl_buf_init(&text, (size_t)1 << 20);
    if (is_standard)
        (void)sl_buf_printf(&text, "%" SL_STR_FMT ".%s.", SL_STR_ARG(message->id), message->time);
    else if (message->scheme == STRIPE)
        (void)sl_buf_printf(&text, "%s.", message->time);
    (void)sl_buf_append_str(&text, message->body);
    SL_ASSERT(!text.overflow);
    SL_ASSERT(HMAC(EVP_sha256(), key, (int)strlen(key), (const unsigned char *)(text.data ? text.data : ""), text.len,
                   mac, &mac_bytes));
    if (is_standard) {
        (void)EVP_EncodeBlock((unsigned char *)ret_text, mac, MAC_BYTES);
    } else {
        for (size_t i = 0; i < MAC_BYTES; i++)
            (void)snprintf(ret_text + 2 * i, 3, "%02x", mac[i]);
    }
    sl_buf_deinit(&text);
}

static void append_own(const struct message *message, struct sl_buf *out)
{
    char signature[MAC_BYTES * 2 + 1];
    sign(message, 1, signature);
    if (message->scheme == STRIPE)
        (void)sl_buf_printf(out, "t=%s,v1=%s", message->time, signature);
    else
        (void)sl_buf_printf(out, "%s%s", message->scheme == GITHUB ? "sha256=" : "v1,", signature);
}

static void fill_header(const struct message *message, struct sl_str template, struct sl_buf *out)
{
    char signature[MAC_BYTES * 2 + 1];
    for (size_t i = 0; i < template.len; i++) {
        char byte = template.ptr[i];
        if (byte >= 1 && byte <= 3) {
            sign(message, (size_t)byte - 1, signature);
            (void)sl_buf_append_cstr(out, signature);
        } else if (byte == 4) {
            (void)sl_buf_append_cstr(out, message->time);
        } else if (byte == 5) {
            append_own(message, out);
        } else {
            (void)sl_buf_append_char(out, byte);
        }
    }
}

/* Does one of the header's parts carry the signature by a secret that is ours? */
static bool is_signed(const struct message *message, struct sl_str header, size_t secret)
{
    static const char *const PREFIXES[SCHEME_COUNT] = {"v1=", "sha256=", "v1,"};
    static const char SEPARATORS[SCHEME_COUNT] = {',', '\0', ' '};
    char text[8 + MAC_BYTES * 2];
    size_t len = strlen(PREFIXES[message->scheme]);
    memcpy(text, PREFIXES[message->scheme], len);
    sign(message, secret, text + len);
    if (message->scheme == GITHUB)
        return sl_str_is(sl_str_trim(header), text);
    header = sl_str_trim(header);
    while (!sl_str_empty(header)) {
        if (sl_str_is(sl_str_cut(&header, SEPARATORS[message->scheme]), text))
            return true;
    }
    return false;
}

/* The time that Stripe's header claims, into the message; false where it claims none, or two. */
static bool take_claimed_time(struct message *message, struct sl_str header)
{
    size_t count = 0;
    header = sl_str_trim(header);
    while (!sl_str_empty(header)) {
        struct sl_str part = sl_str_cut(&header, ',');
        if (!sl_str_starts_with(part, SL_STR("t=")))
            continue;
        struct sl_str text = {.ptr = part.ptr + 2, .len = part.len - 2};
        if (text.len >= sizeof(message->time) || !sl_str_to_int64(text, &message->sent_s))
            return false;
        memcpy(message->time, text.ptr, text.len);
        message->time[text.len] = '\0';
        count++;
    }
    return count == 1;
}

static void check(struct message *message, struct sl_str header, bool twice, bool is_own)
{
    static const char *const NAMES[SCHEME_COUNT] = {"stripe-signature", "x-hub-signature-256", "webhook-signature"};
    static verifier *const VERIFIERS[SCHEME_COUNT] = {verify_stripe, verify_github, verify_standard};
    struct headers headers = {.count = 0};
    struct sl_secrets secrets;
    SL_ASSERT(sl_secrets_init(&secrets, SL_STR(SECRETS)));
    for (int i = 0; i <= twice; i++)
        SL_ASSERT(headers_add(&headers, sl_str_of(NAMES[message->scheme]), header));
    SL_ASSERT(headers_add(&headers, SL_STR("Webhook-Id"), message->id));
    SL_ASSERT(headers_add(&headers, SL_STR("Webhook-Timestamp"), sl_str_of(message->time)));
    struct verify_request request = {.headers = &headers,
                                     .body = message->body,
                                     .secrets = &secrets,
                                     .now_s = NOW_S,
                                     .tolerance_s = TOLERANCE_S,
                                     .diagnose = message->body.len < 256};
    struct verdict verdict = VERIFIERS[message->scheme](&request);
    SL_ASSERT(verdict.cause >= VERIFY_OK && verdict.cause < VERIFY_CAUSE_COUNT && verdict.off_by_s >= 0);
    bool is_right = verdict.cause == VERIFY_OK || verdict.cause == VERIFY_STALE || verdict.cause == VERIFY_FUTURE;
    int64_t sent_s = message->sent_s;
    if (is_right) {
        SL_ASSERT(!twice && (message->scheme != STRIPE || take_claimed_time(message, header)));
        SL_ASSERT(verdict.secret_index < 2 && is_signed(message, header, verdict.secret_index));
    }
    bool is_late = message->scheme != GITHUB && NOW_S - message->sent_s > TOLERANCE_S;
    bool is_early = message->scheme != GITHUB && message->sent_s - NOW_S > TOLERANCE_S;
    SL_ASSERT(!is_right || (verdict.cause == VERIFY_STALE) == is_late);
    SL_ASSERT(!is_right || (verdict.cause == VERIFY_FUTURE) == is_early);
    SL_ASSERT(!is_own || twice || (is_right && verdict.secret_index == 1 && message->sent_s == sent_s));
    sl_secrets_deinit(&secrets);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_bytes bytes = {.at = data, .left = size};
    unsigned flags = fuzz_byte(&bytes);
    struct message message = {.scheme = (enum scheme)(flags % SCHEME_COUNT)};
    message.sent_s = NOW_S + (int64_t)(fuzz_byte(&bytes) << 8 | fuzz_byte(&bytes)) % 700 - 350;
    (void)snprintf(message.time, sizeof(message.time), "%" PRId64, message.sent_s);
    struct sl_str id = fuzz_text(&bytes);
    struct sl_str template = fuzz_text(&bytes);
    message.body = fuzz_rest(&bytes);
    bool has_plain_id = headers_value_is_plain(id, 255, false) && !memchr(id.ptr, '.', id.len);
    message.id = id;
    struct sl_buf header;
    sl_buf_init(&header, (size_t)1 << 20);
    fill_header(&message, template, &header);
    bool is_own = sl_str_is(template, "\5") && (message.scheme != STANDARD || has_plain_id);
    check(&message, sl_buf_str(&header), (flags & 0x80) != 0, is_own);
    sl_buf_deinit(&header);
    fuzz_free(message.body);
    fuzz_free(template);
    fuzz_free(id);
    return 0;
}
