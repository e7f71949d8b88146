/* utf8.h - what is well-formed UTF-8 (RFC 3629): no surrogates, no overlong forms, nothing above U+10FFFF. */
#ifndef SL_UTF8_H
#define SL_UTF8_H

#include "common/str.h"

/* How many bytes (1 to 4) the well-formed character at `index` has; 0 when there is none, or at the end. */
size_t sl_utf8_bytes_at(struct sl_str text, size_t index);

/* The code point of the well-formed character at `index`; asserted to be one. */
uint32_t sl_utf8_code_at(struct sl_str text, size_t index);

/* The whole text is well-formed. A NUL byte is; text for Postgres needs sl_utf8_is_text. */
bool sl_utf8_is_valid(struct sl_str text);

/* Well-formed and without NUL: fit for a `text` column and for JSON. */
bool sl_utf8_is_text(struct sl_str text);

/* Such a text without control characters (below U+0020, and U+007F): fit for an id, a key, a header. */
bool sl_utf8_is_plain(struct sl_str text);

/* The longest beginning of `text` of at most `bytes_max` bytes that doesn't end within a character. Borrowed. */
struct sl_str sl_utf8_cut(struct sl_str text, size_t bytes_max);

#endif
