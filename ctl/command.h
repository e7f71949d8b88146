/* command.h - what ops ask of a worker: a command like any other, for the user concerned, with who asks as its actor;
 * its outcome is read from the events table. */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

#include <jansson.h>

#include "common/buf.h"
#include "common/event.h"
#include "common/uuid.h"
#include "ctl/ctl.h"

#define COMMAND_BYTES_MAX   4096
#define COMMAND_ACTOR_BYTES 128
#define COMMAND_SOURCE      "/sluice/ctl"

/* "ops:NAME", for the audit: the login behind sudo where there is one. */
void command_actor(char ret_actor[COMMAND_ACTOR_BYTES]);

/* The event of job.retry, job.cancel. Its strings are borrowed from the arguments, from `body`, which is filled, and
 * from static memory: one at a time. PERMANENT when it doesn't fit. */
SL_MUST_CHECK bool command_about_job(const char *type, const char *job_id, const char *user_id, const char *event_id,
                                     int64_t now_ms, struct sl_buf *body, struct sl_event *ret_event,
                                     struct sl_err *err);

/* Publishes command `type` ("job.retry") for the user; `subject` is the id of what it is about; `data` is taken, and
 * gets the user's id. ret_event_id is the new event's. */
SL_MUST_CHECK bool command_publish(struct ctl *ctl, const char *type, const char *user_id, const char *subject,
                                   json_t *data, char ret_event_id[SL_UUID_TEXT_BYTES], struct sl_err *err);
/* Waits for its decision and prints it: CTL_DONE when it was applied, CTL_FOUND when not, CTL_UNAVAILABLE when no
 * worker has decided within `wait_s`. */
enum ctl_exit command_await(struct ctl *ctl, const char *event_id, int64_t wait_s);

#endif
