/* audit.h - the rows of audit_log that say what ops did. */
#ifndef CTL_AUDIT_H
#define CTL_AUDIT_H

#include "ctl/ctl.h"

/* One row by who is at the keyboard; `user_id` may be NULL, `detail` is JSON text. */
SL_MUST_CHECK bool audit_write(struct ctl *ctl, const char *action, const char *target, const char *user_id,
                               const char *detail, struct sl_err *err);

#endif
