/* replay_report.h - what came of deciding the log again: counts, and each event that was decided otherwise, as then and
 * as now. For replay.c. */
#ifndef CTL_REPLAY_REPORT_H
#define CTL_REPLAY_REPORT_H

#include <jansson.h>

#include "ctl/ctl.h"
#include "ctl/log_reader.h"
#include "worker/decide/plan.h"

struct replay_counts {
    int64_t read;           /* messages that had been decided */
    int64_t decided;        /* again; the rest were held or dead */
    int64_t compared;       /* within --from, --to and --user */
    int64_t different;      /* of those */
    int64_t not_comparable; /* of a user whose first events the topic has no longer */
    int64_t duplicates;     /* passed over */
};

struct replay_report {
    struct replay_counts counts;
    size_t shown_max; /* differences that are kept to be shown; all are counted */
    json_t *groups;   /* "then -> now" to a count */
    json_t *shown;    /* array of objects */
};

void replay_report_init(struct replay_report *report, size_t shown_max);
void replay_report_deinit(struct replay_report *report);

/* One event that is decided otherwise. `now` NULL: this build can't read it, for the reason given. `what`: the fields
 * that differ, an array, taken. */
void replay_report_add(struct replay_report *report, const struct item *item, const struct log_decision *then,
                       const struct plan *now, const char *reason, json_t *what);

/* Adds to what is shown what was done then, as far as Postgres still knows: jobs and audit. RETRY when it is away. */
SL_MUST_CHECK bool replay_report_complete(struct replay_report *report, struct ctl *ctl, struct sl_err *err);

/* `partitions`: where the log began and ended. */
void replay_report_print(const struct replay_report *report, const struct log_partition *partitions,
                         size_t partition_count, bool json);

#endif
