/* dlq_dry.h - what a replay would come to, letter by letter, by today's facts; nothing is published or written. */
#ifndef CTL_DLQ_DRY_H
#define CTL_DLQ_DRY_H

#include "ctl/dlq.h"

/* Prints a line (or JSON object) a letter and the counts. CTL_DONE, or what failed. */
enum ctl_exit dlq_dry_run(struct ctl *ctl, const struct dlq_filter *filter, int64_t limit);

#endif
