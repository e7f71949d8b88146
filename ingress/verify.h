/* verify.h - is this request from whom it says it is? Pure: bytes, headers, secrets and the time in, a verdict out.
 *
 * Each verifier judges the signature first and the time after it, so that only the holder of a secret learns about
 * clocks. Comparisons are in constant time. A verdict names a cause that a log and a counter may show: never a body, a
 * secret or a computed signature. Any thread.
 */
#ifndef INGRESS_VERIFY_H
#define INGRESS_VERIFY_H

#include "common/arena.h"
#include "common/secret.h"
#include "web/headers.h"
#include "web/verdict.h"

struct verify_request {
    const struct headers *headers;
    struct sl_str body;
    const struct sl_secrets *secrets;
    int64_t now_s;       /* Unix seconds */
    int64_t tolerance_s; /* both ways */
    bool diagnose;       /* look for an altered body: costs several digests, so the caller rations it */
};

typedef struct verdict verifier(const struct verify_request *request);

/* `Stripe-Signature: t=<unix>,v1=<hex>[,v1=…]`, HMAC-SHA256 over "t.body", the key being the whole text "whsec_…".
 * Source: docs.stripe.com/webhooks, "Verify webhook signatures manually". Only lower-case hexadecimal counts. */
struct verdict verify_stripe(const struct verify_request *request);

/* `X-Hub-Signature-256: sha256=<hex>`, HMAC-SHA256 over the body; no time is signed.
 * Source: docs.github.com, "Validating webhook deliveries". */
struct verdict verify_github(const struct verify_request *request);

/* `webhook-id`, `webhook-timestamp`, `webhook-signature: v1,<base64> …`, HMAC-SHA256 over "id.timestamp.body", the key
 * being the base64 behind "whsec_". Source: Standard Webhooks 1.0.0. A secret of another form matches nothing. */
struct verdict verify_standard(const struct verify_request *request);

/* For verifiers: does any other usual spelling of the JSON `body` satisfy `matches`? False where it is not JSON, or
 * larger than VERIFY_ALTERED_BYTES_MAX. */
#define VERIFY_ALTERED_BYTES_MAX ((size_t)64 * 1024)
typedef bool verify_matches(const void *arg, struct sl_str body);
bool verify_is_altered(struct sl_str body, verify_matches *matches, const void *arg);

#endif
