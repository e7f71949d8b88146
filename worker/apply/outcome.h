/* outcome.h - what became of an event, as JSON: events.result in Postgres, and the outcome that the world is told
 * (contract, section 7). Pure but for the arena.
 */
#ifndef APPLY_OUTCOME_H
#define APPLY_OUTCOME_H

#include "worker/apply/attempt.h"

/* {"agent_id":…,"job_ids":[…],"message":…,"data":…}: the outcome's own fields, kept so that it can be told again. A
 * command that is answered later has {"pending":true} in it, and is told to nobody yet. */
struct sl_str outcome_result_of_plan(struct sl_arena *arena, const struct plan *plan);
/* The same of an answer that a job's end gives. */
struct sl_str outcome_result_of_answer(struct sl_arena *arena, const struct answer *answer, struct sl_uuid job_id);
struct sl_str outcome_result_of_message(struct sl_arena *arena, const char *message);

struct outcome_head {
    struct sl_str id, type, user_id;
    enum outcome outcome;
    struct sl_str error_code;
};
/* The whole outcome from its head and a result as above; a result that can't be read counts as empty. */
struct sl_str outcome_write(struct sl_arena *arena, const struct outcome_head *head, struct sl_str result_json);

bool outcome_is_pending(struct sl_str result_json);
/* As outcome_name spells them; OUTCOME_NONE for any other text. */
enum outcome outcome_parse(struct sl_str name);

/* 200 applied, 202 parked or held, 500 dead; of a rejected one what its code says. */
int outcome_http_status(enum outcome outcome, struct sl_str error_code);

#endif
