/* attempt.c - the story of one transaction: open it and see whose events these are (1), lock their users and load what
 * is known (2), decide in the log's order, each event over the facts as the one before left them (3), write everything
 * and the positions (4), and when that is committed, tell (5). Whatever fails before the commit leaves nothing behind,
 * in Postgres or in memory.
 */
#include "worker/apply/attempt.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "worker/apply/announce.h"
#include "worker/apply/deadletter.h"
#include "worker/apply/digest.h"
#include "worker/apply/facts_load.h"
#include "worker/apply/outcome.h"
#include "worker/apply/parking.h"
#include "worker/apply/plan_commit.h"
#include "worker/apply/resolve.h"
#include "worker/apply/seen.h"

/* When the attempt has taken this much, the rest of its events go to the next one: plans need room in proportion to the
 * facts. */
#define ATTEMPT_BYTES_CUT ((size_t)256 * 1024 * 1024)
#define STAGED_CUT                                                                                                     \
    ((size_t)OUTBOX_STAGED_MAX / 2) /* the same of the outbox's room: one event never takes half of it                 \
                                     */

enum attempt_end attempt_end_of(const struct sl_err *err)
{
    /* SQLSTATE classes of what an event's own values can do to a statement. Others (privileges, syntax, a missing
     * table, a read-only server, corruption) are no event's fault: burying the queue one by one would be the wrong
     * cure. */
    static const char *const EVENTS_OWN[] = {"21", "22", "23", "54", "P0"};
    if (strcmp(err->code, POSITIONS_FENCED) == 0)
        return ATTEMPT_FENCED;
    if (err->error_class != SL_ERR_PERMANENT)
        return ATTEMPT_RETRY;
    for (size_t i = 0; i < SL_ARRAY_LEN(EVENTS_OWN); i++) {
        if (strncmp(err->code, EVENTS_OWN[i], 2) == 0)
            return ATTEMPT_PERMANENT;
    }
    return ATTEMPT_RETRY;
}

/* The same id earlier in this attempt; found through a table of the decisions' indices. */
struct seen {
    size_t *slots; /* index + 1; 0: free */
    size_t slot_count;
};

static struct seen seen_create(struct sl_arena *arena, size_t count)
{
    struct seen seen = {.slot_count = 4};
    while (seen.slot_count < count * 2)
        seen.slot_count *= 2;
    seen.slots = sl_arena_alloc(arena, seen.slot_count, sizeof(*seen.slots));
    return seen;
}

static size_t hash_of(struct sl_str id)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < id.len; i++)
        hash = (hash ^ (uint8_t)id.ptr[i]) * UINT64_C(1099511628211);
    return (size_t)(hash ^ (hash >> 32));
}

/* The decision that was made of the event's id earlier in this attempt, or NULL: then the event's own index is entered.
 * A copy that was itself a duplicate of what Postgres knows says nothing about this one, which may be a replay. */
static const struct decision *seen_before(struct seen *seen, const struct attempt *attempt, size_t index)
{
    const struct sl_event *event = &attempt->items[index]->event;
    size_t i = hash_of(event->id) & (seen->slot_count - 1);
    for (; seen->slots[i]; i = (i + 1) & (seen->slot_count - 1)) {
        const struct decision *earlier = &attempt->decisions[seen->slots[i] - 1];
        if (sl_str_equal(earlier->item->event.id, event->id) &&
            sl_str_equal(earlier->item->event.source, event->source)) {
            if (earlier->kind != DECISION_DUPLICATE)
                return earlier;
            break;
        }
    }
    seen->slots[i] = index + 1;
    return NULL;
}

/* A known event is decided again only if it waits or is dead, and this is a replay of it; a parked one also when it
 * merely comes again. */
static bool is_duplicate(const struct item *item, const struct known *known)
{
    if (!known)
        return false;
    bool is_open = known->outcome == OUTCOME_PARKED || known->outcome == OUTCOME_HELD || known->outcome == OUTCOME_DEAD;
    bool is_replay = item->generation > known->generation;
    return !is_open || !(is_replay || known->outcome == OUTCOME_PARKED);
}

static void learn(struct attempt *attempt, const struct plan *plan, const struct account *account)
{
    for (size_t i = 0; i < plan->subscription_count; i++) {
        struct owner *owner = owners_find(&attempt->subscriptions, plan->subscriptions[i].id);
        if (owner && sl_str_empty(owner->user_id))
            owner->user_id = account->facts.user.id;
    }
    if (sl_str_empty(plan->link_customer_id))
        return;
    struct owner *customer = owners_find(&attempt->customers, plan->link_customer_id);
    SL_ASSERT(customer && sl_str_empty(customer->user_id)); /* rules see whose it is */
    customer->user_id = account->facts.user.id;
    attempt->links[attempt->link_count++] =
        (struct link){.customer_id = plan->link_customer_id, .user_id = account->facts.user.id};
}

static void decide_one(struct attempt *attempt, struct decision *decision)
{
    struct input *input = sl_arena_alloc(attempt->arena, 1, sizeof(*input));
    *input = decision->item->input;
    decision->input = input;
    decision->account = facts_account(attempt, resolve_user(attempt, input));
    input->user_id = decision->account ? decision->account->facts.user.id : SL_STR_NONE;
    input->customer_user_id = owners_user(&attempt->customers, resolve_customer_id(input));
    if (resolve_is_made_of_customer(attempt, input))
        input->user_named = input->customer_id;
    if (decision->account && parking_is_held(decision->account, decision->item, decision->known)) {
        decision->kind = DECISION_HELD;
        decision->outcome = OUTCOME_HELD;
        decision->account->holds_now = true;
        decision->result_json = outcome_result_of_message(attempt->arena, "held behind a dead letter of the user");
        return;
    }
    static const struct facts NOBODY;
    struct facts nobody = NOBODY;
    nobody.commons = &attempt->commons;
    nobody.policy = attempt->shell->policy;
    struct facts *facts = decision->account ? &decision->account->facts : &nobody;
    struct plan *plan = plan_create(attempt->arena, facts, input);
    decision->seen_json = seen_write(attempt->arena, facts, input);
    decide(facts, input, plan);
    decision->effects = digest_of_plan(facts, plan);
    decision->kind = DECISION_MADE;
    decision->plan = plan;
    decision->outcome = plan->outcome;
    decision->result_json = outcome_result_of_plan(attempt->arena, plan);
    if (!decision->account) {
        SL_ASSERT(!plan->user_changed && !plan->job_count && !plan->agent_count && !plan->subscription_count);
        commons_apply(&attempt->commons, &plan->commons, attempt->arena);
        return;
    }
    facts_apply(facts, plan, attempt->arena);
    learn(attempt, plan, decision->account);
    parking_was_decided(decision->account, decision->item);
}

static void write_outcome(struct attempt *attempt, struct decision *decision)
{
    const struct plan *plan = decision->plan;
    if (plan && plan->answers_later)
        return; /* it is told when its job ends */
    const struct outcome_head head = {
        .id = decision->item->event.id,
        .type = decision->item->event.type,
        .user_id = decision->account ? decision->account->facts.user.id : SL_STR_NONE,
        .outcome = decision->outcome,
        .error_code = plan && plan->error ? sl_str_of(error_code_name(plan->error)) : SL_STR_NONE,
    };
    decision->outcome_json = outcome_write(attempt->arena, &head, decision->result_json);
}

static void write_duplicate(struct attempt *attempt, struct decision *decision)
{
    const struct known *known = decision->known;
    decision->kind = DECISION_DUPLICATE;
    if (decision->first) {
        decision->outcome_json = decision->first->outcome_json;
        return;
    }
    if (sl_str_empty(decision->item->event.reply_to))
        return; /* nobody asks */
    SL_ASSERT(known);
    if (outcome_is_pending(known->result))
        return; /* whoever asks first is answered when its job ends */
    const struct outcome_head head = {
        .id = decision->item->event.id,
        .type = decision->item->event.type,
        .user_id = known->user_id,
        .outcome = known->outcome,
        .error_code = known->error_code,
    };
    decision->outcome_json = outcome_write(attempt->arena, &head, known->result);
}

/* An event earlier in the batch should have said whose the customer is, and did not: its rows were never looked for.
 * The next attempt begins with it, and knows. */
static bool lacks_account(const struct attempt *attempt, const struct item *item)
{
    struct sl_str user = item->has_input ? resolve_user(attempt, &item->input) : SL_STR_NONE;
    return !sl_str_empty(user) && !facts_account(attempt, user);
}

/* Messages that the commit will put into the outbox; what was counted before this event stands in attempt->to_stage. */
static size_t count_to_stage(struct attempt *attempt)
{
    const struct plan *plan = attempt->decisions[attempt->decided - 1].plan;
    attempt->to_stage += 1 + (plan ? plan->notice_count + 1 : 0); /* a dead letter, notices, a link */
    return attempt->to_stage;
}

static void decide_all(struct attempt *attempt)
{
    struct seen seen = seen_create(attempt->arena, attempt->count);
    attempt->decisions = sl_arena_alloc(attempt->arena, attempt->count, sizeof(*attempt->decisions));
    attempt->links = sl_arena_alloc(attempt->arena, attempt->count, sizeof(*attempt->links));
    for (size_t i = 0; i < attempt->count; i++) {
        struct decision *decision = &attempt->decisions[i];
        decision->item = attempt->items[i];
        if (i > 0 && lacks_account(attempt, decision->item))
            break;
        decision->first = decision->item->has_event ? seen_before(&seen, attempt, i) : NULL;
        decision->known = decision->item->has_event ? attempt->knowns[i] : NULL;
        if (decision->first || (decision->known && is_duplicate(decision->item, decision->known))) {
            write_duplicate(attempt, decision);
        } else if (!decision->item->has_input) {
            decision->kind = DECISION_UNREADABLE;
            decision->outcome = OUTCOME_DEAD;
            decision->result_json = outcome_result_of_message(attempt->arena, decision->item->unreadable);
            write_outcome(attempt, decision);
        } else {
            decide_one(attempt, decision);
            write_outcome(attempt, decision);
        }
        attempt->decided = i + 1;
        if (sl_arena_used_bytes(attempt->arena) > ATTEMPT_BYTES_CUT || count_to_stage(attempt) > STAGED_CUT)
            break;
    }
}

static void count_one(const struct attempt *attempt, const struct decision *decision)
{
    const struct meters *meters = &attempt->shell->meters;
    /* The types of the outside are free text: those that no rule knows count as one. */
    const char *type = decision->item->has_input ? input_type_name(decision->item->input.type) : "unreadable";
    const char *outcome = decision->kind == DECISION_DUPLICATE ? "duplicate" : outcome_name(decision->outcome);
    sl_metric_add(sl_metric_with(meters->events_total, type, outcome), 1);
    if (decision->plan)
        sl_metric_add(sl_metric_with(meters->rules_total, decision->plan->rule), 1);
    if (decision->kind == DECISION_HELD)
        sl_metric_add(meters->held_total, 1);
    if (decision->kind == DECISION_MADE && decision->outcome == OUTCOME_PARKED)
        sl_metric_add(meters->parked_total, 1);
    if (decision->item->has_event && decision->item->event.received_at_ms > 0)
        sl_metric_observe_ms(meters->lag_seconds, (double)(attempt->now_ms - decision->item->event.received_at_ms));
    if (decision->kind == DECISION_UNREADABLE)
        sl_log(SL_LOG_WARN, "apply", "an event can't be read: it is in the dead letters",
               LOG_STR("event", decision->item->event.id), LOG_STR("type", decision->item->event.type),
               LOG_INT("partition", decision->item->message->partition),
               LOG_INT("offset", decision->item->message->offset), LOG_CSTR("reason", decision->item->unreadable));
}

/* A user whose address nobody knows gets no e-mail: that must not pass unseen. */
static void log_skipped(const struct decision *decision)
{
    for (size_t i = 0; decision->plan && i < decision->plan->audit_count; i++) {
        const struct audit *audit = &decision->plan->audits[i];
        if (strcmp(audit->action, "email_skipped") == 0)
            sl_log(SL_LOG_INFO, "apply", "an e-mail was not sent: no address is known",
                   LOG_STR("user", decision->input->user_id), LOG_STR("target", audit->target),
                   LOG_STR("detail", audit->detail), LOG_STR("event", decision->item->event.id),
                   LOG_CSTR("rule", decision->plan->rule));
    }
}

static enum attempt_end failed(struct shell *shell, const struct sl_err *err)
{
    outbox_rolled_back(shell->outbox);
    sl_pg_rollback(shell->pg);
    return attempt_end_of(err);
}

bool attempt_decide(struct attempt *attempt, bool *ret_moved, struct sl_err *err)
{
    if (!resolve_owners(attempt, err) || !facts_load(attempt, ret_moved, err))
        return false;
    if (!*ret_moved)
        decide_all(attempt);
    return true;
}

enum attempt_end attempt_run(struct shell *shell, struct sl_arena *arena, struct item *const *items, size_t count,
                             int64_t now_ms, size_t *ret_done, struct sl_err *err)
{
    struct attempt attempt = {.shell = shell, .arena = arena, .items = items, .count = count, .now_ms = now_ms};
    bool moved = false;
    sl_arena_reset(arena);
    if (!attempt_decide(&attempt, &moved, err))
        return failed(shell, err);
    if (moved) {
        sl_pg_rollback(shell->pg);
        return ATTEMPT_AGAIN;
    }
    if (!plan_commit(&attempt, err))
        return failed(shell, err);
    announce(&attempt);
    parking_release(&attempt);
    PQclear(attempt.released);
    for (size_t i = 0; i < attempt.decided; i++) {
        count_one(&attempt, &attempt.decisions[i]);
        log_skipped(&attempt.decisions[i]);
    }
    *ret_done = attempt.decided;
    return ATTEMPT_DONE;
}
