/* seal.h - tokens at rest: named keys, AES-256-GCM under one of them, and MACs that come out alike for the same event.
 *
 * A sealed text is "KEY_ID:base64(nonce 12, tag 16, ciphertext)": the key's name stands before it, so that keys can be
 * changed while old texts are still about. Whoever seals gives the nonce: it must never come twice for different texts
 * under one key, which a MAC over whatever makes the text unique ensures (sl_seal_mac). Pure, any thread.
 * Source: NIST SP 800-38D (GCM), RFC 2104 (HMAC).
 */
#ifndef SL_SEAL_H
#define SL_SEAL_H

#include "common/buf.h"
#include "common/err.h"
#include "common/sign.h"
#include "common/str.h"

#define SL_SEAL_KEY_BYTES   32
#define SL_SEAL_KEYS_MAX    8
#define SL_SEAL_KEY_ID_MAX  32
#define SL_SEAL_NONCE_BYTES 12
#define SL_SEAL_TAG_BYTES   16
#define SL_SEAL_TEXT_MAX    ((size_t)16 * 1024) /* of a plain text */
#define SL_SEAL_SEALED_MAX  ((size_t)24 * 1024) /* of what becomes of it */

struct sl_seal_ring; /* the keys; immutable, its memory wiped at the end */

/* "ID:BASE64 of 32 bytes", comma-separated; the first is for new texts, all open old ones. An id is 1 to 32 letters,
 * digits, '-', '_' or '.', and comes once. An empty text gives a ring without keys. PERMANENT, never quoting a key,
 * when it is something else. */
SL_MUST_CHECK bool sl_seal_ring_create(struct sl_str keys, struct sl_seal_ring **ret_ring, struct sl_err *err);
void sl_seal_ring_destroy(struct sl_seal_ring *ring); /* accepts NULL */
bool sl_seal_ring_is_empty(const struct sl_seal_ring *ring);

/* HMAC-SHA256 under the key for new texts over the parts, a NUL between each two. Asserted: the ring has a key. */
void sl_seal_mac(const struct sl_seal_ring *ring, const struct sl_str *parts, size_t part_count,
                 uint8_t ret_mac[SL_SHA256_BYTES]);

/* Appends the sealed text to `out`, bound to `context` (which is not in it). False when the text is longer than
 * SL_SEAL_TEXT_MAX or `out` overflowed. Asserted: the ring has a key. */
SL_MUST_CHECK bool sl_seal(const struct sl_seal_ring *ring, const uint8_t nonce[SL_SEAL_NONCE_BYTES],
                           struct sl_str context, struct sl_str text, struct sl_buf *out);
/* The reverse. The caller wipes what is appended to `out`. PERMANENT, with nothing appended, when the key isn't in the
 * ring, the text is malformed, or it was not sealed like this and for this context. */
SL_MUST_CHECK bool sl_seal_open(const struct sl_seal_ring *ring, struct sl_str sealed, struct sl_str context,
                                struct sl_buf *out, struct sl_err *err);

/* A secret on its way through the log: sealed for the event that brings it by who accepts the event, opened by who
 * decides it. The same event seals alike, and what is lifted into another event does not open. Otherwise as above. */
SL_MUST_CHECK bool sl_seal_for_event(const struct sl_seal_ring *ring, struct sl_str source, struct sl_str event_id,
                                     struct sl_str text, struct sl_buf *out);
SL_MUST_CHECK bool sl_seal_open_of_event(const struct sl_seal_ring *ring, struct sl_str source, struct sl_str event_id,
                                         struct sl_str sealed, struct sl_buf *out, struct sl_err *err);

#endif
