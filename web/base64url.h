/* base64url.h - base64 as tokens spell it: RFC 4648, section 5, without padding (RFC 7515, section 2). Pure. */
#ifndef WEB_BASE64URL_H
#define WEB_BASE64URL_H

#include "common/str.h"

/* Strict: false on any other character, an impossible length, bits left over that are not zero, or more than
 * `bytes_max`. */
SL_MUST_CHECK bool base64url_decode(struct sl_str text, uint8_t *ret_bytes, size_t bytes_max, size_t *ret_count);

#endif
