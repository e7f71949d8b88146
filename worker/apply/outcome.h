/* outcome.h - what became of an event, as JSON: events.result in Postgres, and the outcome that the world is told
 * (contract, section 7). Pure but for the arena.
 */
#ifndef APPLY_OUTCOME_H
#define APPLY_OUTCOME_H

#include "worker/apply/attempt.h"

/* {"agent_id":…,"job_ids":[…],"message":…}: the outcome's own fields, kept so that it can be told again. */
struct sl_str outcome_result_of_plan(struct sl_arena *arena, const struct plan *plan);
struct sl_str outcome_result_of_message(struct sl_arena *arena, const char *message);

struct outcome_head {
    struct sl_str id, type, user_id;
    enum outcome outcome;
    struct sl_str error_code;
};
/* The whole outcome from its head and a result as above; a result that can't be read counts as empty. */
struct sl_str outcome_write(struct sl_arena *arena, const struct outcome_head *head, struct sl_str result_json);

/* 200 applied, 202 parked or held, 500 dead; of a rejected one what its code says. */
int outcome_http_status(enum outcome outcome, struct sl_str error_code);

#endif
