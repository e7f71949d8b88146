/* history.c - see history.h.
 *
 * An event is decided over a view, made in the event's arena of rows kept: just what facts_load would have brought for
 * a batch of that event alone. What the plan changes in the view is kept then, a new row in the place of the old one.
 * Rows that were replaced live until the next event, for the plan may point into them. Invariants: 1. a row is in one
 * table, by its id, and in the lists of its user's account; 2. an account's lists stand in the order decided; 3. its
 * list of jobs has the open ones alone, that of timers those that are neither decided nor cancelled.
 */
#include "worker/apply/history.h"

#include <stdlib.h>
#include <string.h>

#include "worker/apply/attempt.h"
#include "worker/apply/digest.h"
#include "worker/apply/history_commons.h"
#include "worker/apply/resolve.h"
#include "worker/apply/seen.h"

#define EVENT_BYTES_MAX ((size_t)512 * 1024 * 1024)
#define DAY_MS          INT64_C(86400000)

struct user_rows {
    struct user *user;
    struct row_list subscriptions, agents, jobs, timers, usages;
    int64_t batch; /* that touched it last, and when that was decided */
    int64_t batch_at_ms;
};

struct history {
    const struct policy *policy;
    struct sl_arena *arena; /* one event's */
    struct table users, customers, subscriptions, agents, jobs, timers;
    struct history_commons commons;
    struct row_list trash;
    int64_t job_seq;
};

struct history *history_create(const struct policy *policy)
{
    struct history *history = sl_calloc(1, sizeof(*history));
    history->policy = policy;
    history->arena = sl_arena_create(EVENT_BYTES_MAX);
    return history;
}

static void sweep(struct history *history)
{
    for (size_t i = 0; i < history->trash.count; i++)
        free(history->trash.items[i]);
    history->trash.count = 0;
    history_commons_sweep(&history->commons);
}

static void free_user(void *value)
{
    struct user_rows *rows = value;
    struct row_list *const lists[] = {&rows->subscriptions, &rows->agents, &rows->jobs, &rows->timers};
    for (size_t i = 0; i < SL_ARRAY_LEN(lists); i++)
        row_list_deinit(lists[i]); /* the tables' */
    for (size_t i = 0; i < rows->usages.count; i++)
        free(rows->usages.items[i]);
    row_list_deinit(&rows->usages);
    free(rows->user);
    free(rows);
}

void history_destroy(struct history *history)
{
    if (!history)
        return;
    sweep(history);
    row_list_deinit(&history->trash);
    struct table *const tables[] = {&history->customers, &history->subscriptions, &history->agents, &history->jobs,
                                    &history->timers};
    for (size_t i = 0; i < SL_ARRAY_LEN(tables); i++) {
        table_each(tables[i], free);
        table_deinit(tables[i]);
    }
    table_each(&history->users, free_user);
    table_deinit(&history->users);
    history_commons_deinit(&history->commons);
    sl_arena_destroy(history->arena);
    free(history);
}

size_t history_user_count(const struct history *history)
{
    return history->users.count;
}

/* As a user is made in Postgres: by the first event that names one. */
static struct user_rows *user_of(struct history *history, struct sl_str id)
{
    if (sl_str_empty(id))
        return NULL;
    struct user_rows *rows = table_get(&history->users, id);
    if (!rows) {
        const struct user user = {.id = id, .plan = SL_STR("free")};
        rows = sl_calloc(1, sizeof(*rows));
        rows->user = row_keep(ROW_USER, &user);
        table_put(&history->users, rows->user->id, rows);
    }
    return rows;
}

/* Timers of the batch before this one: their spans began when that was decided, as plan_rows wrote it. */
static void settle_timers(struct user_rows *rows, const struct history_then *then)
{
    if (rows->batch == then->batch)
        return;
    for (size_t i = 0; i < rows->timers.count; i++) {
        struct timer *timer = rows->timers.items[i];
        int64_t late_ms = timer->set_at_ms ? rows->batch_at_ms - timer->set_at_ms : 0;
        timer->due_at_ms += late_ms > 0 ? late_ms : 0;
        timer->set_at_ms = 0;
    }
    rows->batch = then->batch;
    rows->batch_at_ms = then->decided_at_ms;
}

/* Whose event. */

static void own(struct owners *owners, struct sl_arena *arena, struct sl_str key, struct sl_str user_id)
{
    owners_init(owners, arena, 1);
    owners_add(owners, key);
    owners_seal(owners);
    if (owners->count)
        owners->rows[0].user_id = user_id;
}

/* An attempt at this event alone, as far as resolve.c looks at it. */
static void know_owners(const struct history *history, const struct input *input, struct shell *shell,
                        struct attempt *attempt)
{
    struct sl_uuid job_id = resolve_job_id(input);
    const struct row_link *link = table_get(&history->customers, resolve_customer_id(input));
    const struct subscription *subscription = table_get(&history->subscriptions, resolve_subscription_id(input));
    const struct job *job = sl_uuid_is_nil(job_id) ? NULL : table_get(&history->jobs, owners_key(&job_id));
    struct sl_str job_key = sl_uuid_is_nil(job_id) ? SL_STR_NONE : sl_arena_str(history->arena, owners_key(&job_id));
    shell->policy = history->policy;
    attempt->shell = shell;
    own(&attempt->customers, history->arena, resolve_customer_id(input), link ? link->user_id : SL_STR_NONE);
    own(&attempt->subscriptions, history->arena, resolve_subscription_id(input),
        subscription ? subscription->user_id : SL_STR_NONE);
    own(&attempt->jobs, history->arena, job_key, job ? job->user_id : SL_STR_NONE);
}

/* The view. */

static size_t count_of(const struct user_rows *rows, size_t offset)
{
    struct row_list list;
    memcpy(&list, (const char *)rows + offset, sizeof(list));
    return list.count;
}

/* An array of copies in the arena with room for one more: a row that is lent. */
static void *copies(struct history *history, const struct user_rows *rows, size_t offset, size_t bytes, size_t *ret_cap)
{
    *ret_cap = count_of(rows, offset) + 2;
    return sl_arena_alloc(history->arena, *ret_cap, bytes);
}

static void view_subscriptions(struct history *history, const struct user_rows *rows, const struct input *input,
                               struct facts *facts)
{
    const struct subscription *named = table_get(&history->subscriptions, resolve_subscription_id(input));
    facts->subscriptions = copies(history, rows, offsetof(struct user_rows, subscriptions),
                                  sizeof(*facts->subscriptions), &facts->subscription_cap);
    for (size_t i = 0; i < rows->subscriptions.count; i++)
        facts->subscriptions[facts->subscription_count++] = *(struct subscription *)rows->subscriptions.items[i];
    if (named && !sl_str_equal(named->user_id, rows->user->id))
        facts->subscriptions[facts->subscription_count++] = *named;
}

static void view_agents(struct history *history, const struct user_rows *rows, const struct input *input,
                        const struct job *job, struct facts *facts)
{
    struct sl_uuid id = resolve_agent_id(input);
    const struct agent *named = sl_uuid_is_nil(id) ? NULL : table_get(&history->agents, owners_key(&id));
    const struct agent *of_job =
        job && !sl_uuid_is_nil(job->agent_id) ? table_get(&history->agents, owners_key(&job->agent_id)) : NULL;
    facts->agents =
        copies(history, rows, offsetof(struct user_rows, agents), sizeof(*facts->agents), &facts->agent_cap);
    for (size_t i = 0; i < rows->agents.count; i++) {
        const struct agent *agent = rows->agents.items[i];
        if (agent->status != AGENT_DESTROYED || agent == named || agent == of_job)
            facts->agents[facts->agent_count++] = *agent;
    }
    if (named && !facts_agent(facts, named->id))
        facts->agents[facts->agent_count++] = *named;
    if (of_job && !facts_agent(facts, of_job->id))
        facts->agents[facts->agent_count++] = *of_job;
}

/* In the order decided: one that has ended stands where it did. */
static void view_jobs(struct history *history, const struct user_rows *rows, const struct job *named,
                      struct facts *facts)
{
    const struct job *missing = named;
    facts->jobs = copies(history, rows, offsetof(struct user_rows, jobs), sizeof(*facts->jobs), &facts->job_cap);
    for (size_t i = 0; i < rows->jobs.count; i++) {
        const struct job *job = rows->jobs.items[i];
        if (missing && missing->seq < job->seq) {
            facts->jobs[facts->job_count++] = *missing;
            missing = NULL;
        }
        if (missing == job)
            missing = NULL;
        facts->jobs[facts->job_count++] = *job;
    }
    if (missing)
        facts->jobs[facts->job_count++] = *missing;
}

static void view_timers(struct history *history, const struct user_rows *rows, const struct input *input,
                        struct facts *facts)
{
    struct sl_uuid id = resolve_timer_id(input);
    const struct timer *named = sl_uuid_is_nil(id) ? NULL : table_get(&history->timers, owners_key(&id));
    facts->timers =
        copies(history, rows, offsetof(struct user_rows, timers), sizeof(*facts->timers), &facts->timer_cap);
    for (size_t i = 0; i < rows->timers.count; i++)
        facts->timers[facts->timer_count++] = *(struct timer *)rows->timers.items[i];
    if (named && !facts_timer(facts, named->id))
        facts->timers[facts->timer_count++] = *named;
}

static void view_usages(struct history *history, const struct user_rows *rows, const struct input *input,
                        struct facts *facts)
{
    int32_t day = (int32_t)(input->received_at_ms / DAY_MS);
    if (!(resolve_reads(input) & READS_USAGE))
        return;
    facts->usages =
        copies(history, rows, offsetof(struct user_rows, usages), sizeof(*facts->usages), &facts->usage_cap);
    for (size_t i = 0; i < rows->usages.count; i++) {
        const struct usage *usage = rows->usages.items[i];
        if (usage->day == day)
            facts->usages[facts->usage_count++] = *usage;
    }
}

static void view(struct history *history, const struct user_rows *rows, const struct input *input, struct facts *facts)
{
    struct sl_uuid job_id = resolve_job_id(input);
    const struct job *job = sl_uuid_is_nil(job_id) ? NULL : table_get(&history->jobs, owners_key(&job_id));
    if (!rows)
        return;
    facts->user = *rows->user;
    view_subscriptions(history, rows, input, facts);
    view_agents(history, rows, input, job, facts);
    view_jobs(history, rows, job, facts);
    view_timers(history, rows, input, facts);
    view_usages(history, rows, input, facts);
}

/* Keeping what changed. */

static void throw(struct history * history, void *row)
{
    if (row)
        row_list_add(&history->trash, row);
}

static void keep_user(struct history *history, struct user_rows *rows, const struct user *user)
{
    struct user *kept = row_keep(ROW_USER, user);
    kept->changed = false;
    throw(history, rows->user);
    rows->user = kept;
    table_put(&history->users, kept->id, rows);
}

static void keep_subscriptions(struct history *history, struct user_rows *rows, const struct facts *facts)
{
    for (size_t i = 0; i < facts->subscription_count; i++) {
        if (!facts->subscriptions[i].changed)
            continue;
        struct subscription *kept = row_keep(ROW_SUBSCRIPTION, &facts->subscriptions[i]);
        void *before = table_get(&history->subscriptions, kept->id);
        kept->changed = false;
        row_list_replace(&rows->subscriptions, before, kept);
        table_put(&history->subscriptions, kept->id, kept);
        throw(history, before);
    }
}

static void keep_agents(struct history *history, struct user_rows *rows, const struct facts *facts)
{
    for (size_t i = 0; i < facts->agent_count; i++) {
        if (!facts->agents[i].changed)
            continue;
        struct agent *kept = row_keep(ROW_AGENT, &facts->agents[i]);
        void *before = table_get(&history->agents, owners_key(&kept->id));
        kept->changed = false;
        row_list_replace(&rows->agents, before, kept);
        table_put(&history->agents, owners_key(&kept->id), kept);
        throw(history, before);
    }
}

/* New and requeued ones take their numbers in the order of the array, as they do in Postgres. */
static void keep_jobs(struct history *history, struct user_rows *rows, const struct facts *facts)
{
    for (size_t i = 0; i < facts->job_count; i++) {
        if (!facts->jobs[i].changed)
            continue;
        struct job *kept = row_keep(ROW_JOB, &facts->jobs[i]);
        void *before = table_get(&history->jobs, owners_key(&kept->id));
        bool takes_new_place = !before || kept->requeue || kept->seq == 0;
        kept->changed = false;
        kept->requeue = false;
        kept->seq = takes_new_place ? ++history->job_seq : kept->seq;
        if (takes_new_place || !job_status_is_open(kept->status))
            row_list_remove(&rows->jobs, before);
        if (job_status_is_open(kept->status))
            row_list_replace(&rows->jobs, before, kept);
        table_put(&history->jobs, owners_key(&kept->id), kept);
        throw(history, before);
    }
}

static void keep_timers(struct history *history, struct user_rows *rows, const struct facts *facts)
{
    for (size_t i = 0; i < facts->timer_count; i++) {
        if (!facts->timers[i].changed)
            continue;
        struct timer *kept = row_keep(ROW_TIMER, &facts->timers[i]);
        void *before = table_get(&history->timers, owners_key(&kept->id));
        kept->changed = false;
        if (kept->decided || kept->cancelled)
            row_list_remove(&rows->timers, before);
        else
            row_list_replace(&rows->timers, before, kept);
        table_put(&history->timers, owners_key(&kept->id), kept);
        throw(history, before);
    }
}

static void keep_usages(struct history *history, struct user_rows *rows, const struct facts *facts)
{
    for (size_t i = 0; i < facts->usage_count; i++) {
        if (!facts->usages[i].changed)
            continue;
        struct usage *kept = row_keep(ROW_USAGE, &facts->usages[i]);
        struct usage *before = NULL;
        kept->changed = false;
        for (size_t u = rows->usages.count; u > 0 && !before; u--) {
            struct usage *row = rows->usages.items[u - 1];
            before = row->day == kept->day && sl_str_equal(row->metric, kept->metric) ? row : NULL;
        }
        row_list_replace(&rows->usages, before, kept);
        throw(history, before);
    }
}

static void keep_link(struct history *history, const struct plan *plan, struct sl_str user_id)
{
    const struct row_link link = {.customer_id = plan->link_customer_id, .user_id = user_id};
    if (sl_str_empty(link.customer_id))
        return;
    struct row_link *kept = row_keep(ROW_LINK, &link);
    throw(history, table_get(&history->customers, kept->customer_id));
    table_put(&history->customers, kept->customer_id, kept);
}

static void keep(struct history *history, struct user_rows *rows, const struct plan *plan, const struct facts *facts)
{
    if (facts->user.changed)
        keep_user(history, rows, &facts->user);
    keep_subscriptions(history, rows, facts);
    keep_agents(history, rows, facts);
    keep_jobs(history, rows, facts);
    keep_timers(history, rows, facts);
    keep_usages(history, rows, facts);
    keep_link(history, plan, rows->user->id);
}

bool history_decide(struct history *history, const struct item *item, const struct history_then *then,
                    struct history_now *ret_now, struct sl_err *err)
{
    struct shell shell = {0};
    struct attempt attempt = {0};
    struct commons commons;
    struct facts facts = {.policy = history->policy, .commons = &commons};
    SL_ASSERT(item->has_input);
    sl_arena_reset(history->arena);
    sweep(history);
    struct input *input = sl_arena_alloc(history->arena, 1, sizeof(*input));
    *input = item->input;
    know_owners(history, input, &shell, &attempt);
    struct user_rows *rows = user_of(history, resolve_user(&attempt, input));
    bool is_made_of_customer = resolve_is_made_of_customer(&attempt, input);
    if (rows)
        settle_timers(rows, then);
    input->user_id = rows ? sl_arena_str(history->arena, rows->user->id) : SL_STR_NONE;
    input->customer_user_id = owners_user(&attempt.customers, resolve_customer_id(input));
    if (is_made_of_customer)
        input->user_named = input->customer_id;
    view(history, rows, input, &facts);
    history_commons_load(&history->commons, input, resolve_reads(input), history->policy,
                         rows ? &rows->subscriptions : NULL, &commons, history->arena);
    if (!seen_apply(&facts, input, then->seen, history->arena, err))
        return false;
    struct plan *plan = plan_create(history->arena, &facts, input);
    decide(&facts, input, plan);
    *ret_now = (struct history_now){.plan = plan, .effects = digest_of_plan(&facts, plan), .user_id = input->user_id};
    if (rows) {
        facts_apply(&facts, plan, history->arena);
        keep(history, rows, plan, &facts);
    } else {
        commons_apply(&commons, &plan->commons, history->arena);
    }
    history_commons_keep(&history->commons, &commons);
    return true;
}
