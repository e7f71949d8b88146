/* dry.h - what would become of events if they were decided now, by today's facts and this build's rules; nothing is
 * written, locked or told.
 *
 * Each call is one READ ONLY transaction over one snapshot, rolled back. Events of one call are decided in their order,
 * each over the facts as those before it would leave them, as a worker does with a batch. Any thread, one session.
 */
#ifndef APPLY_DRY_H
#define APPLY_DRY_H

#include "common/pg.h"
#include "worker/apply/attempt.h"
#include "worker/apply/policy.h"

enum dry_verdict {
    DRY_APPLIES = 1, /* it would change something */
    DRY_SUPERSEDED,  /* it would be ignored: what it says is overtaken, or means nothing */
    DRY_REFUSED,     /* it would be rejected */
    DRY_DUPLICATE,   /* it was decided before: nothing would be written */
    DRY_PARKED,      /* its customer is nobody's yet: it would wait */
    DRY_HELD,        /* it would wait behind a dead letter of its user */
    DRY_UNREADABLE,  /* it would be a dead letter of stage decode */
    DRY_VERDICT_COUNT
};
const char *dry_verdict_name(enum dry_verdict verdict); /* "would apply", "superseded" … */

struct dry_result {
    enum dry_verdict verdict;
    const char *rule;         /* static; NULL: none decided */
    struct sl_str error_code; /* of a refusal; empty: none */
    struct sl_str message;    /* for people, in the arena or static; may be empty */
};

/* Fills ret_results[0..count). The events count as replays: what is dead or waits is decided again. A payload that
 * can't be read is a result, no error. Texts are borrowed from the events or made in `arena`, which the caller resets.
 * `now_ms`: wall-clock time. RETRY or PERMANENT as the server says. The session is left without a transaction. */
SL_MUST_CHECK bool dry_run(struct sl_pg *pg, const struct policy_set *policy, struct sl_arena *arena,
                           const struct sl_event *events, size_t count, int64_t now_ms, struct dry_result *ret_results,
                           struct sl_err *err);

#endif
