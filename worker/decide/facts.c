/* facts.c - looking facts up, and carrying a plan into them.
 *
 * Invariants, asserted by facts_check: ids are unique within their array and no status is NONE; at most one job of
 * an agent and one provision of a user are under way (running or waiting); jobs stand in the order decided, those
 * without a seq (of this batch) last.
 */
#include <string.h>

#include "worker/decide/plan.h"

static struct agent *find_agent(const struct facts *facts, struct sl_uuid id)
{
    for (size_t i = 0; i < facts->agent_count; i++) {
        if (sl_uuid_equal(facts->agents[i].id, id))
            return &facts->agents[i];
    }
    return NULL;
}

static struct job *find_job(const struct facts *facts, struct sl_uuid id)
{
    for (size_t i = 0; i < facts->job_count; i++) {
        if (sl_uuid_equal(facts->jobs[i].id, id))
            return &facts->jobs[i];
    }
    return NULL;
}

static struct subscription *find_subscription(const struct facts *facts, struct sl_str id)
{
    for (size_t i = 0; i < facts->subscription_count; i++) {
        if (sl_str_equal(facts->subscriptions[i].id, id))
            return &facts->subscriptions[i];
    }
    return NULL;
}

static struct timer *find_timer(const struct facts *facts, struct sl_uuid id)
{
    for (size_t i = 0; i < facts->timer_count; i++) {
        if (sl_uuid_equal(facts->timers[i].id, id))
            return &facts->timers[i];
    }
    return NULL;
}

const struct agent *facts_agent(const struct facts *facts, struct sl_uuid id)
{
    return find_agent(facts, id);
}

const struct job *facts_job(const struct facts *facts, struct sl_uuid id)
{
    return find_job(facts, id);
}

const struct subscription *facts_subscription(const struct facts *facts, struct sl_str id)
{
    return find_subscription(facts, id);
}

const struct timer *facts_timer(const struct facts *facts, struct sl_uuid id)
{
    return find_timer(facts, id);
}

static struct usage *find_usage(const struct facts *facts, int32_t day, struct sl_str metric)
{
    for (size_t i = 0; i < facts->usage_count; i++) {
        if (facts->usages[i].day == day && sl_str_equal(facts->usages[i].metric, metric))
            return &facts->usages[i];
    }
    return NULL;
}

const struct usage *facts_usage(const struct facts *facts, int32_t day, struct sl_str metric)
{
    return find_usage(facts, day, metric);
}

const struct offer *policy_offer(const struct policy *policy, struct sl_str name)
{
    for (size_t i = 0; i < policy->offer_count; i++) {
        if (sl_str_equal(policy->offers[i].name, name))
            return &policy->offers[i];
    }
    return sl_str_equal(policy->free_offer.name, name) ? &policy->free_offer : NULL;
}

const struct offer *policy_offer_of_price(const struct policy *policy, struct sl_str price_id)
{
    for (size_t i = 0; i < policy->offer_count && !sl_str_empty(price_id); i++) {
        if (sl_str_equal(policy->offers[i].price_id, price_id))
            return &policy->offers[i];
    }
    return &policy->free_offer;
}

/* The array with room for one more element; the old one stays in the arena until the batch ends. */
static void *grown(struct sl_arena *arena, const void *array, size_t count, size_t *cap, size_t bytes)
{
    size_t cap_new = *cap ? *cap * 2 : 8;
    void *copy = sl_arena_alloc(arena, cap_new, bytes);
    if (count)
        memcpy(copy, array, count * bytes);
    *cap = cap_new;
    return copy;
}

static void apply_subscription(struct facts *facts, const struct subscription *version, struct sl_arena *arena)
{
    struct subscription *row = find_subscription(facts, version->id);
    if (!row) {
        if (facts->subscription_count == facts->subscription_cap)
            facts->subscriptions = grown(arena, facts->subscriptions, facts->subscription_count,
                                         &facts->subscription_cap, sizeof(*facts->subscriptions));
        row = &facts->subscriptions[facts->subscription_count++];
    }
    *row = *version;
    row->changed = true;
}

static void apply_agent(struct facts *facts, const struct agent *version, struct sl_arena *arena)
{
    struct agent *row = find_agent(facts, version->id);
    if (!row) {
        if (facts->agent_count == facts->agent_cap)
            facts->agents = grown(arena, facts->agents, facts->agent_count, &facts->agent_cap, sizeof(*facts->agents));
        row = &facts->agents[facts->agent_count++];
    }
    *row = *version;
    row->changed = true;
}

/* A requeued job leaves its place for one behind all others: the order of the array is the order of execution. */
static void apply_job(struct facts *facts, const struct job *version, struct sl_arena *arena)
{
    struct job *row = find_job(facts, version->id);
    if (row && version->seq == JOB_SEQ_REQUEUE) {
        size_t behind = (size_t)(facts->jobs + facts->job_count - row) - 1;
        memmove(row, row + 1, behind * sizeof(*row));
        facts->job_count--;
        row = NULL;
    }
    if (!row) {
        if (facts->job_count == facts->job_cap)
            facts->jobs = grown(arena, facts->jobs, facts->job_count, &facts->job_cap, sizeof(*facts->jobs));
        row = &facts->jobs[facts->job_count++];
    }
    *row = *version;
    if (row->seq == JOB_SEQ_REQUEUE)
        row->seq = 0;
    row->changed = true;
}

static void apply_timer(struct facts *facts, const struct timer *version, struct sl_arena *arena)
{
    struct timer *row = find_timer(facts, version->id);
    if (!row) {
        if (facts->timer_count == facts->timer_cap)
            facts->timers = grown(arena, facts->timers, facts->timer_count, &facts->timer_cap, sizeof(*facts->timers));
        row = &facts->timers[facts->timer_count++];
    }
    *row = *version;
    row->changed = true;
}

/* Whatever the rule made of it: a timer whose event was decided as it was set is over. */
static void apply_timer_event(struct facts *facts, const struct input *input)
{
    if (!input_type_is_timer(input->type))
        return;
    struct timer *row = find_timer(facts, input->as.timer.timer_id);
    if (!row || row->cancelled || row->due_at_ms != input->as.timer.due_at_ms)
        return;
    row->decided = true;
    row->changed = true;
}

static void apply_usage(struct facts *facts, const struct usage *version, struct sl_arena *arena)
{
    struct usage *row = find_usage(facts, version->day, version->metric);
    if (!row) {
        if (facts->usage_count == facts->usage_cap)
            facts->usages = grown(arena, facts->usages, facts->usage_count, &facts->usage_cap, sizeof(*facts->usages));
        row = &facts->usages[facts->usage_count++];
    }
    *row = *version;
    row->changed = true;
}

void facts_apply(struct facts *facts, const struct plan *plan, struct sl_arena *arena)
{
    if (plan->user_changed) {
        facts->user = plan->user;
        facts->user.changed = true;
    }
    for (size_t i = 0; i < plan->subscription_count; i++)
        apply_subscription(facts, &plan->subscriptions[i], arena);
    for (size_t i = 0; i < plan->agent_count; i++)
        apply_agent(facts, &plan->agents[i], arena);
    for (size_t i = 0; i < plan->job_count; i++)
        apply_job(facts, &plan->jobs[i], arena);
    for (size_t i = 0; i < plan->timer_count; i++)
        apply_timer(facts, &plan->timers[i], arena);
    apply_timer_event(facts, plan->input);
    for (size_t i = 0; i < plan->usage_count; i++)
        apply_usage(facts, &plan->usages[i], arena);
    commons_apply(facts->commons, &plan->commons, arena);
}

static bool is_under_way(const struct job *job)
{
    return job->status == JOB_RUNNING || job->status == JOB_WAITING;
}

static void check_job(const struct facts *facts, size_t index)
{
    const struct job *job = &facts->jobs[index];
    SL_ASSERT(job->status > JOB_STATUS_NONE && job->status < JOB_STATUS_COUNT);
    SL_ASSERT(job->kind > JOB_KIND_NONE && job->kind < JOB_KIND_COUNT);
    if (index > 0) {
        int64_t before = facts->jobs[index - 1].seq;
        SL_ASSERT(job->seq == 0 || (before != 0 && before < job->seq));
    }
    for (size_t i = 0; i < index; i++) {
        const struct job *other = &facts->jobs[i];
        SL_ASSERT(!sl_uuid_equal(other->id, job->id));
        if (!is_under_way(other) || !is_under_way(job))
            continue;
        SL_ASSERT(sl_uuid_is_nil(job->agent_id) || !sl_uuid_equal(other->agent_id, job->agent_id));
        SL_ASSERT(other->kind != JOB_PROVISION || job->kind != JOB_PROVISION ||
                  !sl_str_equal(other->user_id, job->user_id));
    }
}

void facts_check(const struct facts *facts)
{
    SL_ASSERT(facts->policy && facts->commons);
    for (size_t i = 0; i < facts->subscription_count; i++) {
        SL_ASSERT(!sl_str_empty(facts->subscriptions[i].id) && !sl_str_empty(facts->subscriptions[i].status));
        for (size_t j = 0; j < i; j++)
            SL_ASSERT(!sl_str_equal(facts->subscriptions[i].id, facts->subscriptions[j].id));
    }
    for (size_t i = 0; i < facts->agent_count; i++) {
        SL_ASSERT(facts->agents[i].status > AGENT_NONE && facts->agents[i].status < AGENT_STATUS_COUNT);
        for (size_t j = 0; j < i; j++)
            SL_ASSERT(!sl_uuid_equal(facts->agents[i].id, facts->agents[j].id));
    }
    for (size_t i = 0; i < facts->job_count; i++)
        check_job(facts, i);
    for (size_t i = 0; i < facts->timer_count; i++) {
        SL_ASSERT(!sl_str_empty(facts->timers[i].kind));
        for (size_t j = 0; j < i; j++)
            SL_ASSERT(!sl_uuid_equal(facts->timers[i].id, facts->timers[j].id));
    }
}
