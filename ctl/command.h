/* command.h - commands that ops send: published for a user like anybody's, decided by a worker, their outcome read from
 * the events table. */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

#include <jansson.h>

#include "common/uuid.h"
#include "ctl/ctl.h"

/* Publishes command `type` ("job.retry") by ops; `subject` is the id of what it is about; `data` is taken, and gets the
 * user's id. ret_event_id is the new event's. */
SL_MUST_CHECK bool command_publish(struct ctl *ctl, const char *type, const char *user_id, const char *subject,
                                   json_t *data, char ret_event_id[SL_UUID_TEXT_BYTES], struct sl_err *err);
/* Waits for its decision and prints it: CTL_DONE when it was applied, CTL_FOUND when not, CTL_UNAVAILABLE when no
 * worker has decided within `wait_s`. */
enum ctl_exit command_await(struct ctl *ctl, const char *event_id, int64_t wait_s);

#endif
