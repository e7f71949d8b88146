/* sign.h - MACs, digests and text encodings, over OpenSSL. Pure: no I/O, any thread. */
#ifndef SL_SIGN_H
#define SL_SIGN_H

#include "common/buf.h"
#include "common/str.h"

#define SL_SHA256_BYTES     32
#define SL_SHA256_HEX_BYTES 65 /* 64 characters and NUL */

/* HMAC-SHA256 over the parts joined without separator (RFC 2104). */
void sl_sign_hmac_sha256(struct sl_str key, const struct sl_str *parts, size_t part_count,
                         uint8_t ret_mac[SL_SHA256_BYTES]);
void sl_sign_sha256(struct sl_str bytes, uint8_t ret_digest[SL_SHA256_BYTES]);
void sl_sign_sha256_hex(struct sl_str bytes, char ret_text[SL_SHA256_HEX_BYTES]);

/* Constant time over `bytes`. */
bool sl_sign_equal(const uint8_t *a, const uint8_t *b, size_t bytes);

void sl_sign_hex(const uint8_t *bytes, size_t count, char *ret_text); /* 2 * count characters and NUL, lower case */
/* Exactly 2 * count hexadecimal digits; `lower_case_only` refuses A-F. */
SL_MUST_CHECK bool sl_sign_unhex(struct sl_str text, bool lower_case_only, uint8_t *ret_bytes, size_t count);

/* RFC 4648 base64 with padding. Decoding is strict (no blanks, canonical padding); gives false beyond `bytes_max`. */
void sl_sign_base64(struct sl_str bytes, struct sl_buf *out);
SL_MUST_CHECK bool sl_sign_unbase64(struct sl_str text, uint8_t *ret_bytes, size_t bytes_max, size_t *ret_count);

#endif
