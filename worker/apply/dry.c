/* dry.c - see dry.h. */
#include "worker/apply/dry.h"

const char *dry_verdict_name(enum dry_verdict verdict)
{
    static const char *const NAMES[DRY_VERDICT_COUNT] = {
        [DRY_APPLIES] = "would apply",   [DRY_SUPERSEDED] = "superseded",  [DRY_REFUSED] = "refused",
        [DRY_DUPLICATE] = "duplicate",   [DRY_PARKED] = "would be parked", [DRY_HELD] = "would be held",
        [DRY_UNREADABLE] = "unreadable",
    };
    SL_ASSERT(verdict > 0 && verdict < DRY_VERDICT_COUNT);
    return NAMES[verdict];
}

static struct dry_result result_of_plan(const struct plan *plan)
{
    static const enum dry_verdict VERDICTS[OUTCOME_COUNT] = {
        [OUTCOME_APPLIED] = DRY_APPLIES,
        [OUTCOME_REJECTED] = DRY_REFUSED,
        [OUTCOME_IGNORED] = DRY_SUPERSEDED,
        [OUTCOME_PARKED] = DRY_PARKED,
    };
    SL_ASSERT(VERDICTS[plan->outcome]);
    return (struct dry_result){
        .verdict = VERDICTS[plan->outcome],
        .rule = plan->rule,
        .error_code = plan->error ? sl_str_of(error_code_name(plan->error)) : SL_STR_NONE,
        .message = plan->message,
    };
}

static struct dry_result result_of(const struct decision *decision, struct sl_arena *arena)
{
    switch (decision->kind) {
    case DECISION_MADE:
        return result_of_plan(decision->plan);
    case DECISION_DUPLICATE:
        return (struct dry_result){
            .verdict = DRY_DUPLICATE,
            .message = decision->first ? SL_STR("of one before it")
                                       : sl_arena_printf(arena, "it is %s", outcome_name(decision->known->outcome))};
    case DECISION_HELD:
        return (struct dry_result){.verdict = DRY_HELD, .message = SL_STR("its user has an open dead letter")};
    default:
        SL_ASSERT(decision->kind == DECISION_UNREADABLE);
        return (struct dry_result){.verdict = DRY_UNREADABLE, .message = sl_str_of(decision->item->unreadable)};
    }
}

bool dry_run(struct sl_pg *pg, const struct policy_set *policy, struct sl_arena *arena, const struct sl_event *events,
             size_t count, int64_t now_ms, struct dry_result *ret_results, struct sl_err *err)
{
    struct shell shell = {.pg = pg, .policy = policy_borrow(policy), .ring = policy_borrow_ring(policy)};
    struct item **items = sl_arena_alloc(arena, count + 1, sizeof(struct item *));
    for (size_t i = 0; i < count; i++) {
        items[i] = item_of_event(arena, shell.ring, &events[i]);
        items[i]->generation = ITEM_GENERATION_MAX;
    }
    /* An attempt may be cut short, and always decides one at least. */
    for (size_t done = 0; done < count;) {
        struct attempt attempt = {.shell = &shell,
                                  .arena = arena,
                                  .items = items + done,
                                  .count = count - done,
                                  .now_ms = now_ms,
                                  .only_looks = true};
        bool moved = false;
        bool ok = attempt_decide(&attempt, &moved, err);
        sl_pg_rollback(pg);
        if (!ok)
            return false;
        SL_ASSERT(!moved && attempt.decided > 0);
        for (size_t i = 0; i < attempt.decided; i++)
            ret_results[done + i] = result_of(&attempt.decisions[i], arena);
        done += attempt.decided;
    }
    return true;
}
