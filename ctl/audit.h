/* audit.h - who is at the keyboard, and the rows of audit_log that say what they did. */
#ifndef CTL_AUDIT_H
#define CTL_AUDIT_H

#include "ctl/ctl.h"

#define AUDIT_ACTOR_BYTES 128

/* "ops:<login>": the login behind sudo where there is one. */
void audit_actor(char ret_actor[AUDIT_ACTOR_BYTES]);
/* One row by that actor; `user_id` may be NULL, `detail` is JSON text. */
SL_MUST_CHECK bool audit_write(struct ctl *ctl, const char *action, const char *target, const char *user_id,
                               const char *detail, struct sl_err *err);

#endif
