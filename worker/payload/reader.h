/* reader.h - what the readers of payload/ share: fields of a JSON document, copied into the arena, and their private
 * table entries. */
#ifndef PAYLOAD_READER_H
#define PAYLOAD_READER_H

#include "common/json.h"
#include "worker/payload/payload.h"

struct reader {
    const struct sl_event *event;
    struct sl_arena *arena;
    const json_t *body; /* an object */
    struct input *input;
};

/* A copy of the string at the path; empty when absent or of another type. */
struct sl_str reader_str(const struct reader *reader, const char *path);
/* The same with its ASCII letters in lower case: addresses are compared so. */
struct sl_str reader_lower(const struct reader *reader, const char *path);
/* The same for an id that may come as a number. */
struct sl_str reader_id(const struct reader *reader, const char *path);
/* An id, or the id of an expanded object. `path` has room for ".id". */
struct sl_str reader_ref(const struct reader *reader, const char *path);
/* The first of the paths that is not empty; the list ends with NULL. */
struct sl_str reader_first(const struct reader *reader, const char *const *paths);
/* Can it be a key, a subject and a header? Empty is: it names nothing. */
bool reader_is_key(struct sl_str id);
/* A user's id: empty when it is longer than ids may be. */
struct sl_str reader_user(const struct reader *reader, const char *const *paths);
/* Unix seconds between 0 and the year 9999, else 0. */
int64_t reader_seconds(const struct reader *reader, const char *path);
/* The nil UUID when absent or malformed. */
struct sl_uuid reader_uuid(const struct reader *reader, const char *path);

/* One per family. The body is parsed already. False with a PERMANENT `err` when it is not what it claims. */
SL_MUST_CHECK bool stripe_read(const struct reader *reader, struct sl_err *err);
SL_MUST_CHECK bool github_read(const struct reader *reader, struct sl_err *err);
SL_MUST_CHECK bool callback_read(const struct reader *reader, struct sl_err *err);
SL_MUST_CHECK bool command_read(const struct reader *reader, struct sl_err *err);
SL_MUST_CHECK bool system_read(const struct reader *reader, struct sl_err *err);

/* The JSON text of a form-encoded webhook ("payload=%7B…"), decoded into `arena`; empty when there is no such field or
 * an escape is broken. Source: GitHub, "Webhook events and payloads", content type application/x-www-form-urlencoded.
 */
struct sl_str github_form_payload(struct sl_str body, struct sl_arena *arena);

#endif
