/* gap.h - events that a sender says it could not deliver: which of them are held already, and the proof at the end that
 * none is missing.
 *
 * The ids are in memory (GAP_MAX of them), the events in a temporary file. Held means: it has its row in sluice.events.
 */
#ifndef CTL_GAP_H
#define CTL_GAP_H

#include <stdio.h>

#include "ctl/ctl.h"

#define GAP_MAX 1000000

struct gap_item {
    char *id;        /* ce_id */
    char *type;      /* for people */
    char *sender_id; /* what the sender asks for it by; NULL: the id */
    int64_t at_ms;
    long spooled_at; /* of its text in the file; -1: none */
    size_t bytes;
    bool is_held;     /* at the last look */
    bool was_held;    /* at the first */
    bool is_answered; /* delivered since, says the sender: it is on its way */
    bool is_refused;  /* the sender won't */
};

struct gap {
    const char *source; /* ce_source */
    struct gap_item *items;
    size_t count, cap;
    struct gap_item **by_id; /* after gap_sort */
    FILE *spool;
};

/* What is asked for: --since (which must be given), --until (0: now), --rate, --wait in seconds. */
struct gap_span {
    int64_t since_ms, until_ms, rate, wait_s;
};

/* `rate`: the fewest, the most, and what holds when none is given. Says on stderr that `sender` keeps what is told for
 * no longer than `keeps_days` when more is asked for. */
struct gap_limits {
    const char *sender;
    int keeps_days;
    int64_t rate_min, rate_max, rate_default;
};
SL_MUST_CHECK bool gap_read_span(const struct ctl *ctl, const struct gap_limits *limits, struct gap_span *ret_span,
                                 struct sl_err *err);

SL_MUST_CHECK bool gap_init(struct gap *gap, const char *source, struct sl_err *err);
void gap_deinit(struct gap *gap);

/* `text` empty: nothing to keep. Texts are copied. PERMANENT when there are too many, or the disk is full. */
SL_MUST_CHECK bool gap_add(struct gap *gap, const char *id, const char *sender_id, const char *type, int64_t at_ms,
                           struct sl_str text, struct sl_err *err);
/* Of one id the newest stays; then oldest first. */
void gap_sort(struct gap *gap);
/* NULL: not among them. After gap_sort. */
struct gap_item *gap_find(const struct gap *gap, const char *id);
/* The text of an item in memory of malloc's. */
SL_MUST_CHECK bool gap_text(struct gap *gap, const struct gap_item *item, char **ret_text, struct sl_err *err);

/* Asks Postgres which are held by now; `first` also notes it as what was so before anything was done. */
SL_MUST_CHECK bool gap_look(struct ctl *ctl, struct gap *gap, bool first, struct sl_err *err);
/* Looks until all are held that can be, `wait_s` has passed, or the end is asked for. */
SL_MUST_CHECK bool gap_await(struct ctl *ctl, struct gap *gap, int64_t wait_s, struct sl_err *err);
/* "listed n, held n, missing none", or the ids; JSON with --json; and the audit. `asked`: how many were sent or asked
 * for. */
enum ctl_exit gap_report(struct ctl *ctl, const struct gap *gap, size_t asked, const char *action);
/* When it broke off: `err`, and the report with its audit if something was asked for all the same. */
enum ctl_exit gap_fail(struct ctl *ctl, const struct gap *gap, size_t asked, const char *action,
                       const struct sl_err *err);

#endif
