/* command.h - what ops ask of a worker: a command like any other, for the user concerned, with who asks as its actor.
 */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

#include "common/buf.h"
#include "common/event.h"

#define COMMAND_BYTES_MAX   2048
#define COMMAND_ACTOR_BYTES 128
#define COMMAND_SOURCE      "/sluice/ctl"

/* "ops:NAME", for the audit: the login behind sudo where there is one. */
void command_actor(char ret_actor[COMMAND_ACTOR_BYTES]);

/* The event of job.retry, job.cancel. Its strings are borrowed from the arguments, from `body`, which is filled, and
 * from static memory: one at a time. PERMANENT when it doesn't fit. */
SL_MUST_CHECK bool command_about_job(const char *type, const char *job_id, const char *user_id, const char *event_id,
                                     int64_t now_ms, struct sl_buf *body, struct sl_event *ret_event,
                                     struct sl_err *err);

#endif
