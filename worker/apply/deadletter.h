/* deadletter.h - what can't be processed: a row for ops, and the message itself, untouched, on the dead letters topic.
 * Both in the transaction under way, so that neither can be lost nor stand alone.
 */
#ifndef APPLY_DEADLETTER_H
#define APPLY_DEADLETTER_H

#include "worker/apply/attempt.h"
#include "worker/apply/pipeline.h"

struct deadletter {
    const struct item *item;
    struct sl_str user_id; /* empty: nobody's */
    struct sl_uuid job_id; /* nil: no job's */
    const char *stage;     /* decode, commit, execute */
    const char *cause;     /* a class to group by: unreadable, database, attempts_exhausted, … */
    struct sl_str error;
    int attempts;
    int64_t now_ms;
};

struct deadletters; /* those of one transaction */

SL_MUST_CHECK struct deadletters *deadletters_create(struct sl_arena *arena, size_t cap);
/* Stages the message in the outbox and notes the row. A letter that is there already is left out: one death of it is
 * enough for a transaction. */
void deadletters_add(struct deadletters *letters, struct shell *shell, const struct deadletter *letter);
/* Queues the rows, if there are any. The same letter again is the same row: open again, one attempt more, the death
 * before it kept. */
void deadletters_queue(const struct deadletters *letters, struct pipeline *pipeline);
size_t deadletters_count(const struct deadletters *letters);

/* Queues the end of letters that the attempt's decisions settle: of events that were dead, of messages that say which
 * letter they replay, and of jobs that are retried. */
void deadletters_queue_settled(const struct attempt *attempt, struct pipeline *pipeline);

/* The row's id: of the job where it is one's; of the letter that the message is a replay of; of the event and stage;
 * of the position where there is no event. Pure. */
struct sl_uuid deadletter_id(const struct deadletter *letter);

#endif
