/* answers.h - answers to commands that waited for a cloud (plan_answer): the command's events row gets its outcome in
 * the transaction that decides its job's end, and is told with it.
 *
 * The event of the job's end notes in its own result, as the member "answer", what it answered: so that a crash between
 * the commit and the telling costs nothing (announce_again). Only a command that is still pending is answered.
 */
#ifndef APPLY_ANSWERS_H
#define APPLY_ANSWERS_H

#include "worker/apply/attempt.h"
#include "worker/apply/pipeline.h"

/* What is to be told of a command, beside the event that answered it. */
struct answer_told {
    struct sl_str source, id, type, user_id, reply_to;
    struct sl_str outcome_json;
};

/* Queues the answers of this attempt, behind its events: gives the index of the result, or -1. */
int answers_queue(const struct attempt *attempt, struct pipeline *pipeline);
/* After the commit: sets `answered` of the decisions whose command was still pending. `result` may be NULL. */
void answers_read(struct attempt *attempt, const PGresult *result);

struct answer_told answers_told(const struct attempt *attempt, const struct decision *decision);
/* The same from the result of an event that was decided before; false when it answered nothing. */
SL_MUST_CHECK bool answers_told_again(struct sl_arena *arena, struct sl_str result_json, struct answer_told *ret_told);

#endif
