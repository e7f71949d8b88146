/* json.h - jansson behind limits, and reading by path.
 *
 * Parsed documents are jansson's `json_t`, freed with json_decref (SL_JSON_AUTO does it). Twice the same key: the last
 * counts. Refused: invalid UTF-8, a NUL, as a byte or in a string, depth above the limit, numbers that don't fit,
 * anything after the end.
 */
#ifndef SL_JSON_H
#define SL_JSON_H

#include <jansson.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/str.h"
#include "common/uuid.h"

#define SL_JSON_DEPTH_MAX 64
#define SL_JSON_AUTO      SL_CLEANUP(sl_json_decref) json_t

void sl_json_decref(json_t **json);

/* An object or array. `bytes_max` 0 means no further limit. PERMANENT with line and column; the text itself is not
 * quoted. */
SL_MUST_CHECK bool sl_json_parse(struct sl_str text, size_t bytes_max, json_t **ret_json, struct sl_err *err);

/* The value at a dotted path ("data.object.items.data.0.price.id": a number indexes an array), or NULL. Borrowed. */
const json_t *sl_json_at(const json_t *json, const char *path);
/* A string at the path, borrowed from the document; empty when absent or of another type. */
struct sl_str sl_json_str(const json_t *json, const char *path);
/* An integer at the path (a real with no fraction counts); false when absent or of another type. */
SL_MUST_CHECK bool sl_json_int(const json_t *json, const char *path, int64_t *ret_value);
bool sl_json_bool(const json_t *json, const char *path, bool fallback);
/* A string or an integer as text (ids that providers send either way), or empty. `storage` holds the digits. */
struct sl_str sl_json_id(const json_t *json, const char *path, char storage[24]);
/* A canonical UUID string at the path. */
SL_MUST_CHECK bool sl_json_uuid(const json_t *json, const char *path, struct sl_uuid *ret_uuid);

/* Compact, keys in insertion order. False on overflow of `out`. */
SL_MUST_CHECK bool sl_json_write(const json_t *json, struct sl_buf *out);
/* A string as JSON text with quotes, escaped, control characters of every kind too; bytes that are not UTF-8 become
 * U+FFFD. False on overflow of `out`. */
bool sl_json_write_str(struct sl_buf *out, struct sl_str text);

#endif
