/* plan.c - filling a plan: copies of entities, the setters of the two state machines, timers, audits, derived ids.
 *
 * Invariants: 1. an entity is in the plan at most once, and keeps its address, so that a rule may hold on to it; 2.
 * a status changes in plan_move_agent and plan_move_job alone; 3. a decision about a job raises its fence, so that
 * a write-back of an executor that has seen the state before touches no row; 4. a derived id depends on the event,
 * the rule and the ordinal alone.
 */
#include "worker/decide/plan.h"

#include <string.h>

#define TIMERS_OF_JOB_MAX 2 /* heartbeat_missed, provision_timeout */
#define TIMERS_BESIDE_MAX 4 /* grace_ending, grace_expired */
#define JOBS_BESIDE_MAX   8

/* 0 stop and delete, 1 create and start, 2 the rest: the lower goes first when a cloud is short of requests. */
static const int PRIORITIES[JOB_KIND_COUNT] = {
    [JOB_PROVISION] = 1,     [JOB_START] = 1,       [JOB_STOP] = 0,  [JOB_DESTROY] = 0, [JOB_ROLLBACK] = 0,
    [JOB_UPDATE_LIMITS] = 2, [JOB_DEPROVISION] = 0, [JOB_EMAIL] = 2, [JOB_STRIPE] = 2,  [JOB_GRAPH] = 2,
};

struct plan *plan_create(struct sl_arena *arena, const struct facts *facts, const struct input *input)
{
    struct plan *plan = sl_arena_alloc(arena, 1, sizeof(*plan));
    plan->arena = arena;
    plan->input = input;
    /* The widest rules touch every agent and every open job once, and add at most one job for each agent and some
     * more (a rollback, e-mails, a call to Stripe). */
    plan->subscription_cap = facts->subscription_count + 1;
    plan->agent_cap = facts->agent_count + 1;
    plan->job_cap = facts->job_count + facts->agent_count + JOBS_BESIDE_MAX;
    plan->timer_cap = TIMERS_OF_JOB_MAX * (facts->job_count + 1) + facts->timer_count + TIMERS_BESIDE_MAX;
    plan->usage_cap = facts->usage_count + 1;
    return plan;
}

static void verdict(struct plan *plan, enum outcome outcome, enum error_code error, const char *message)
{
    SL_ASSERT(plan->outcome == OUTCOME_NONE);
    plan->outcome = outcome;
    plan->error = error;
    plan->message = sl_str_of(message);
}

void plan_applied(struct plan *plan, const char *message)
{
    verdict(plan, OUTCOME_APPLIED, ERROR_NONE, message);
}

void plan_rejected(struct plan *plan, enum error_code error, const char *message)
{
    SL_ASSERT(error != ERROR_NONE);
    verdict(plan, OUTCOME_REJECTED, error, message);
}

void plan_ignored(struct plan *plan, const char *message)
{
    verdict(plan, OUTCOME_IGNORED, ERROR_NONE, message);
}

/* The next element of one of the plan's arrays, which is taken from the arena when its first element comes. */
#define NEXT_SLOT(plan, noun)                                                                                          \
    (SL_ASSERT((plan)->noun##_count < (plan)->noun##_cap),                                                             \
     (plan)->noun##s = (plan)->noun##s ? (plan)->noun##s                                                               \
                                       : sl_arena_alloc((plan)->arena, (plan)->noun##_cap, sizeof(*(plan)->noun##s)),  \
     &(plan)->noun##s[(plan)->noun##_count++])

/* The same for an array that grows, whose elements nobody holds on to. */
#define NEXT_GROWN(plan, noun)                                                                                         \
    ((plan)->noun##s = (plan)->noun##_count < (plan)->noun##_cap                                                       \
                           ? (plan)->noun##s                                                                           \
                           : grown((plan)->arena, (plan)->noun##s, (plan)->noun##_count, &(plan)->noun##_cap,          \
                                   sizeof(*(plan)->noun##s)),                                                          \
     &(plan)->noun##s[(plan)->noun##_count++])

static void *grown(struct sl_arena *arena, const void *array, size_t count, size_t *cap, size_t bytes)
{
    size_t cap_new = *cap ? *cap * 2 : 4;
    void *copy = sl_arena_alloc(arena, cap_new, bytes);
    if (count)
        memcpy(copy, array, count * bytes);
    *cap = cap_new;
    return copy;
}

void plan_answered_by(struct plan *plan, struct job *job, const char *message)
{
    job->answer_type = plan->input->ce_type;
    job->reply_to = plan->input->reply_to;
    plan->answers_later = true;
    plan_applied(plan, message);
}

void plan_answer(struct plan *plan, const struct job *job, enum outcome outcome, enum error_code error,
                 const char *message, struct sl_str data)
{
    SL_ASSERT(!plan->has_answer);
    if (sl_str_empty(job->answer_type))
        return;
    plan->has_answer = true;
    plan->answer = (struct answer){
        .source = job->cause_source,
        .event_id = job->cause_event_id,
        .ce_type = job->answer_type,
        .reply_to = job->reply_to,
        .outcome = outcome,
        .error = error,
        .message = sl_str_of(message),
        .data = data,
    };
}

void plan_data(struct plan *plan, struct sl_str data)
{
    plan->data = data;
}

struct user *plan_user(struct plan *plan, const struct facts *facts)
{
    SL_ASSERT(!sl_str_empty(facts->user.id));
    if (!plan->user_changed)
        plan->user = facts->user;
    plan->user_changed = true;
    return &plan->user;
}

struct subscription *plan_subscription(struct plan *plan, const struct facts *facts, struct sl_str id)
{
    SL_ASSERT(!sl_str_empty(id));
    for (size_t i = 0; i < plan->subscription_count; i++) {
        if (sl_str_equal(plan->subscriptions[i].id, id))
            return &plan->subscriptions[i];
    }
    struct subscription *copy = NEXT_SLOT(plan, subscription);
    const struct subscription *known = facts_subscription(facts, id);
    if (known) {
        *copy = *known;
        return copy;
    }
    const struct offer *free_offer = &facts->policy->free_offer;
    *copy = (struct subscription){
        .id = id,
        .user_id = facts->user.id,
        .customer_id = plan->input->customer_id,
        .status = SL_STR("incomplete"),
        .tier = free_offer->name,
        .max_agents = free_offer->max_agents,
        .max_messages_per_day = free_offer->max_messages_per_day,
    };
    return copy;
}

struct agent *plan_agent(struct plan *plan, const struct agent *agent)
{
    for (size_t i = 0; i < plan->agent_count; i++) {
        if (sl_uuid_equal(plan->agents[i].id, agent->id))
            return &plan->agents[i];
    }
    struct agent *copy = NEXT_SLOT(plan, agent);
    *copy = *agent;
    return copy;
}

struct agent *plan_agent_new(struct plan *plan, const struct facts *facts, struct sl_uuid id)
{
    SL_ASSERT(!sl_uuid_is_nil(id) && !facts_agent(facts, id));
    struct agent *agent = NEXT_SLOT(plan, agent);
    *agent = (struct agent){.id = id, .user_id = facts->user.id, .region = facts->policy->default_region};
    plan_move_agent(plan, facts, agent, AGENT_DRAFT, SL_STR_NONE);
    return agent;
}

struct job *plan_job(struct plan *plan, const struct job *job)
{
    for (size_t i = 0; i < plan->job_count; i++) {
        if (sl_uuid_equal(plan->jobs[i].id, job->id))
            return &plan->jobs[i];
    }
    struct job *copy = NEXT_SLOT(plan, job);
    *copy = *job;
    return copy;
}

struct job *plan_job_new(struct plan *plan, const struct facts *facts, const struct agent *agent, enum job_kind kind,
                         struct sl_str args)
{
    SL_ASSERT(kind > JOB_KIND_NONE && kind < JOB_KIND_COUNT);
    struct job *job = NEXT_SLOT(plan, job);
    *job = (struct job){
        .id = plan_derive_id(plan),
        .user_id = facts->user.id,
        .agent_id = agent->id,
        .kind = kind,
        .status = JOB_QUEUED,
        .backend = agent->backend,
        .args = args,
        .cause_event_id = plan->input->event_id,
        .cause_source = plan->input->source,
        .rule = sl_str_of(plan->rule),
        .priority = PRIORITIES[kind],
    };
    return job;
}

struct job *plan_job_new_plain(struct plan *plan, const struct facts *facts, enum job_kind kind, const char *backend,
                               struct sl_str args)
{
    const struct agent nobody = {.backend = sl_str_of(backend)};
    return plan_job_new(plan, facts, &nobody, kind, args);
}

struct usage *plan_usage(struct plan *plan, const struct facts *facts, int32_t day, struct sl_str metric)
{
    for (size_t i = 0; i < plan->usage_count; i++) {
        if (plan->usages[i].day == day && sl_str_equal(plan->usages[i].metric, metric))
            return &plan->usages[i];
    }
    struct usage *copy = NEXT_SLOT(plan, usage);
    const struct usage *known = facts_usage(facts, day, metric);
    if (known)
        *copy = *known;
    else
        *copy = (struct usage){.user_id = facts->user.id, .day = day, .metric = metric};
    return copy;
}

void plan_notify(struct plan *plan, const char *ce_type, struct sl_str user_id, struct sl_str body)
{
    struct notice *notice = NEXT_GROWN(plan, notice);
    *notice = (struct notice){.id = plan_derive_id(plan), .ce_type = ce_type, .user_id = user_id, .body = body};
}

void plan_move_agent(struct plan *plan, const struct facts *facts, struct agent *agent, enum agent_status status,
                     struct sl_str reason)
{
    SL_ASSERT(agent >= plan->agents && agent < plan->agents + plan->agent_count);
    SL_ASSERT(agent_status_may_move(agent->status, status));
    SL_ASSERT(sl_str_equal(agent->user_id, facts->user.id));
    agent->status = status;
    agent->status_reason = reason;
    /* What stopped it, or ended it, is over. */
    if (status == AGENT_PROVISIONING || status == AGENT_STARTING || status == AGENT_ACTIVE)
        agent->stopped_by = SL_STR_NONE;
}

void plan_move_job(struct plan *plan, struct job *job, enum job_status status, struct sl_str error)
{
    SL_ASSERT(job_status_may_move(job->status, status));
    job->status = status;
    job->error = error;
    job->fence++;
    job->ended_at_ms = job_status_is_open(status) ? 0 : plan->input->received_at_ms;
}

void plan_job_requeue(struct plan *plan, struct job *job)
{
    if (job->status != JOB_QUEUED)
        plan_move_job(plan, job, JOB_QUEUED, SL_STR_NONE);
    else
        job->fence++;
    job->seq = JOB_SEQ_REQUEUE;
    job->requeue = true;
    job->settled = false;
    job->cancel_requested = false;
    job->step = SL_STR_NONE;
    job->run_id = SL_STR_NONE;
    job->dispatched_run_id = SL_STR_NONE;
    job->claimed_at_ms = 0;
    job->heartbeat_at_ms = 0;
    job->deadline_at_ms = 0;
}

struct sl_uuid timer_id_of(const char *kind, struct sl_str subject)
{
    const struct sl_str parts[] = {SL_STR("timer"), subject, sl_str_of(kind)};
    return sl_uuid_v5(SL_UUID_SPACE, parts, SL_ARRAY_LEN(parts));
}

static struct timer *plan_timer(struct plan *plan, const struct facts *facts, const char *kind, struct sl_str subject)
{
    struct sl_uuid id = timer_id_of(kind, subject);
    for (size_t i = 0; i < plan->timer_count; i++) {
        if (sl_uuid_equal(plan->timers[i].id, id))
            return &plan->timers[i];
    }
    struct timer *copy = NEXT_SLOT(plan, timer);
    const struct timer *known = facts_timer(facts, id);
    if (known)
        *copy = *known;
    else
        *copy = (struct timer){.id = id, .user_id = facts->user.id, .kind = sl_str_of(kind), .subject = subject};
    return copy;
}

void plan_timer_set(struct plan *plan, const struct facts *facts, const char *kind, struct sl_str subject,
                    int64_t due_at_ms)
{
    struct timer *timer = plan_timer(plan, facts, kind, subject);
    timer->due_at_ms = due_at_ms;
    timer->set_at_ms = plan->input->received_at_ms;
    timer->decided = false;
    timer->cancelled = false;
}

void plan_timer_cancel(struct plan *plan, const struct facts *facts, const char *kind, struct sl_str subject)
{
    const struct timer *known = facts_timer(facts, timer_id_of(kind, subject));
    if (!known || known->decided || known->cancelled)
        return; /* the facts hold every open timer of the user: there is nothing to cancel */
    plan_timer(plan, facts, kind, subject)->cancelled = true;
}

void plan_audit(struct plan *plan, const char *action, struct sl_str target, struct sl_str detail)
{
    struct audit *audit = NEXT_GROWN(plan, audit);
    *audit = (struct audit){.action = action, .target = target, .detail = detail};
}

struct sl_str plan_target_named(struct plan *plan, const char *kind, struct sl_str id)
{
    return sl_arena_printf(plan->arena, "%s:%" SL_STR_FMT, kind, SL_STR_ARG(id));
}

struct sl_str plan_target(struct plan *plan, const char *kind, struct sl_uuid id)
{
    char text[SL_UUID_TEXT_BYTES];
    sl_uuid_format(id, text);
    return plan_target_named(plan, kind, sl_str_of(text));
}

struct sl_uuid plan_derive_id(struct plan *plan)
{
    char digits[10];
    size_t start = sizeof(digits);
    unsigned ordinal = plan->ordinal++;
    do {
        digits[--start] = (char)('0' + ordinal % 10);
        ordinal /= 10;
    } while (ordinal);
    const struct sl_str parts[] = {
        plan->input->source,
        plan->input->event_id,
        sl_str_of(plan->rule),
        {.ptr = digits + start, .len = sizeof(digits) - start},
    };
    return sl_uuid_v5(SL_UUID_SPACE, parts, SL_ARRAY_LEN(parts));
}
