/* facts_load.c - see facts_load.h.
 *
 * Locks come first in the pipeline and in id order: customers without a user, users, jobs, workspaces. Under READ
 * COMMITTED each statement sees what was committed before it began, so everything read behind the users' locks is
 * current for as long as the transaction lasts.
 */
#include "worker/apply/facts_load.h"

#include <stdlib.h>
#include <string.h>

#include "worker/apply/commons_load.h"
#include "worker/apply/facts_read.h"
#include "worker/apply/pipeline.h"
#include "worker/apply/resolve.h"

static const char MAKE_CUSTOMERS[] =
    "INSERT INTO sluice.customers (id) SELECT id FROM unnest($1::text[]) AS c (id) ORDER BY id ON CONFLICT DO NOTHING";
static const char LOCK_CUSTOMERS[] = "SELECT id, user_id FROM sluice.customers WHERE id = ANY($1::text[])"
                                     " ORDER BY id FOR UPDATE";
static const char MAKE_USERS[] =
    "INSERT INTO sluice.users (id) SELECT id FROM unnest($1::text[]) AS u (id) ORDER BY id ON CONFLICT DO NOTHING";
/* One look into the index for each id: LIMIT keeps the planner from reading the whole table for a join. */
static const char KNOWN_EVENTS[] =
    "SELECT n.position, e.outcome, e.generation, e.error_code, e.user_id, e.rule, e.result, e.topic, e.partition,"
    " e.\"offset\" FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS n (id, source, position)"
    " CROSS JOIN LATERAL (SELECT * FROM sluice.events WHERE id = n.id AND source = n.source LIMIT 1) AS e";
static const char OPEN_LETTERS[] = "SELECT DISTINCT user_id FROM sluice.dead_letters WHERE user_id = ANY($1::text[])"
                                   " AND status = 'open' AND stage IN ('decide', 'commit')";
static const char HELD_EVENTS[] =
    "SELECT user_id, event_id, source FROM sluice.held_events WHERE user_id = ANY($1::text[]) ORDER BY user_id, seq";

struct queries {
    int customers, users, known, letters, held, subscriptions, agents, jobs, timers, usages;
    struct commons_queries commons;
};

#define DAY_MS INT64_C(86400000)

static struct sl_pg_array *user_array(const struct attempt *attempt)
{
    struct sl_pg_array *users = sl_pg_array_create(attempt->arena, SL_PG_TEXT);
    for (size_t i = 0; i < attempt->users.count; i++)
        sl_pg_array_text(users, attempt->users.rows[i].key);
    return users;
}

static struct sl_pg_array *named_uuids(const struct attempt *attempt, struct sl_uuid (*id_of)(const struct input *))
{
    struct sl_pg_array *ids = sl_pg_array_create(attempt->arena, SL_PG_UUID);
    for (size_t i = 0; i < attempt->count; i++) {
        struct sl_uuid id = id_of(&attempt->items[i]->input);
        if (attempt->items[i]->has_input && !sl_uuid_is_nil(id))
            sl_pg_array_uuid(ids, id);
    }
    return ids;
}

static struct sl_pg_array *named_subscriptions(const struct attempt *attempt)
{
    struct sl_pg_array *ids = sl_pg_array_create(attempt->arena, SL_PG_TEXT);
    for (size_t i = 0; i < attempt->subscriptions.count; i++)
        sl_pg_array_text(ids, attempt->subscriptions.rows[i].key);
    return ids;
}

static int queue_arrays(struct pipeline *pipeline, struct sl_arena *arena, const char *sql, struct sl_pg_array *first,
                        struct sl_pg_array *second, struct sl_pg_array *third)
{
    struct sl_pg_params params;
    sl_pg_params_init(&params, arena);
    sl_pg_array(&params, first);
    if (second)
        sl_pg_array(&params, second);
    if (third)
        sl_pg_array(&params, third);
    return pipeline_add(pipeline, sql, &params);
}

static int queue_known(struct pipeline *pipeline, const struct attempt *attempt)
{
    struct sl_pg_array *ids = sl_pg_array_create(attempt->arena, SL_PG_TEXT);
    struct sl_pg_array *sources = sl_pg_array_create(attempt->arena, SL_PG_TEXT);
    for (size_t i = 0; i < attempt->count; i++) {
        /* One without an envelope has an element all the same: its place is the item's. */
        sl_pg_array_text(ids, attempt->items[i]->event.id);
        sl_pg_array_text(sources, attempt->items[i]->event.source);
    }
    return queue_arrays(pipeline, attempt->arena, KNOWN_EVENTS, ids, sources, NULL);
}

struct user_day {
    struct sl_str user_id;
    int32_t day;
};

static int by_user_and_day(const void *a, const void *b)
{
    const struct user_day *first = a;
    const struct user_day *second = b;
    int order = sl_str_compare(first->user_id, second->user_id);
    return order ? order : (first->day > second->day) - (first->day < second->day);
}

/* One look for a user and day, however many of his events count on it. */
static int queue_usages(struct pipeline *pipeline, const struct attempt *attempt)
{
    struct user_day *days = sl_arena_alloc(attempt->arena, attempt->count + 1, sizeof(*days));
    struct sl_pg_array *users = sl_pg_array_create(attempt->arena, SL_PG_TEXT);
    struct sl_pg_array *numbers = sl_pg_array_create(attempt->arena, SL_PG_INT4);
    size_t count = 0;
    for (size_t i = 0; i < attempt->count; i++) {
        const struct input *input = &attempt->items[i]->input;
        struct sl_str user_id = resolve_user(attempt, input);
        if (attempt->items[i]->has_input && (resolve_reads(input) & READS_USAGE) && !sl_str_empty(user_id))
            days[count++] = (struct user_day){.user_id = user_id, .day = (int32_t)(input->received_at_ms / DAY_MS)};
    }
    qsort(days, count, sizeof(*days), by_user_and_day);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && by_user_and_day(&days[i - 1], &days[i]) == 0)
            continue;
        sl_pg_array_text(users, days[i].user_id);
        sl_pg_array_int(numbers, days[i].day);
    }
    return count ? queue_arrays(pipeline, attempt->arena, FACTS_USAGES, users, numbers, NULL) : -1;
}

static struct queries queue_all(struct pipeline *pipeline, const struct attempt *attempt)
{
    struct queries queries = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, {0}};
    struct sl_arena *arena = attempt->arena;
    if (attempt->unlinked_count && !attempt->only_looks) {
        struct sl_pg_array *unlinked = sl_pg_array_create(arena, SL_PG_TEXT);
        for (size_t i = 0; i < attempt->unlinked_count; i++)
            sl_pg_array_text(unlinked, attempt->unlinked[i]);
        (void)queue_arrays(pipeline, arena, MAKE_CUSTOMERS, unlinked, NULL, NULL);
        queries.customers = queue_arrays(pipeline, arena, LOCK_CUSTOMERS, unlinked, NULL, NULL);
    }
    if (attempt->users.count) {
        struct sl_pg_array *users = user_array(attempt);
        struct sl_pg_array *jobs = named_uuids(attempt, resolve_job_id);
        const bool looks = attempt->only_looks;
        if (!looks)
            (void)queue_arrays(pipeline, arena, MAKE_USERS, users, NULL, NULL);
        queries.users = queue_arrays(pipeline, arena, looks ? FACTS_USERS_UNLOCKED : FACTS_USERS, users, NULL, NULL);
        queries.jobs = queue_arrays(pipeline, arena, looks ? FACTS_JOBS_UNLOCKED : FACTS_JOBS, users, jobs, NULL);
        queries.letters = queue_arrays(pipeline, arena, OPEN_LETTERS, users, NULL, NULL);
        queries.held = queue_arrays(pipeline, arena, HELD_EVENTS, users, NULL, NULL);
        queries.subscriptions =
            queue_arrays(pipeline, arena, FACTS_SUBSCRIPTIONS, users, named_subscriptions(attempt), NULL);
        queries.agents =
            queue_arrays(pipeline, arena, FACTS_AGENTS, users, named_uuids(attempt, resolve_agent_id), jobs);
        queries.timers =
            queue_arrays(pipeline, arena, FACTS_TIMERS, users, named_uuids(attempt, resolve_timer_id), NULL);
        queries.usages = queue_usages(pipeline, attempt);
    }
    queries.commons = commons_load_queue(attempt, pipeline);
    queries.known = queue_known(pipeline, attempt);
    return queries;
}

struct account *facts_account(const struct attempt *attempt, struct sl_str user_id)
{
    const struct owner *user = sl_str_empty(user_id) ? NULL : owners_find(&attempt->users, user_id);
    return user ? &attempt->accounts[user - attempt->users.rows] : NULL;
}

static bool customers_moved(const PGresult *result)
{
    for (int row = 0; result && row < PQntuples(result); row++) {
        if (!sl_pg_is_null(result, row, 1))
            return true;
    }
    return false;
}

static void read_known(struct attempt *attempt, const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        struct known *known = sl_arena_alloc(attempt->arena, 1, sizeof(*known));
        struct sl_str outcome = sl_pg_get_text(result, row, 1);
        for (int i = OUTCOME_NONE + 1; i < OUTCOME_COUNT; i++) {
            if (sl_str_is(outcome, outcome_name((enum outcome)i)))
                known->outcome = (enum outcome)i;
        }
        SL_ASSERT(known->outcome != OUTCOME_NONE);
        known->generation = (int)sl_pg_get_int(result, row, 2);
        known->error_code = sl_arena_str(attempt->arena, sl_pg_get_text(result, row, 3));
        known->user_id = sl_arena_str(attempt->arena, sl_pg_get_text(result, row, 4));
        known->rule = sl_arena_str(attempt->arena, sl_pg_get_text(result, row, 5));
        known->result = sl_arena_str(attempt->arena, sl_pg_get_text(result, row, 6));
        known->topic = sl_arena_str(attempt->arena, sl_pg_get_text(result, row, 7));
        known->partition = (int32_t)sl_pg_get_int(result, row, 8);
        known->offset = sl_pg_get_int(result, row, 9);
        attempt->knowns[sl_pg_get_int(result, row, 0) - 1] = known;
    }
}

/* Postgres gives rows of the users that it was asked for alone. */
static struct account *asked_account(const struct attempt *attempt, struct sl_str user_id)
{
    struct account *account = facts_account(attempt, user_id);
    SL_ASSERT(account);
    return account;
}

static void read_holds(struct attempt *attempt, const PGresult *letters, const PGresult *held)
{
    for (int row = 0; row < PQntuples(letters); row++)
        asked_account(attempt, sl_pg_get_text(letters, row, 0))->has_open_letter = true;
    size_t rows = (size_t)PQntuples(held);
    struct sl_str(*keys)[2] = sl_arena_alloc(attempt->arena, rows + 1, sizeof(*keys));
    for (size_t row = 0; row < rows; row++) {
        struct account *account = asked_account(attempt, sl_pg_get_text(held, (int)row, 0));
        keys[row][0] = sl_arena_str(attempt->arena, sl_pg_get_text(held, (int)row, 1));
        keys[row][1] = sl_arena_str(attempt->arena, sl_pg_get_text(held, (int)row, 2));
        if (!account->held_count++)
            account->held = &keys[row]; /* a user's rows stand together */
    }
}

static int by_seq(const void *a, const void *b)
{
    int64_t first = ((const struct job *)a)->seq;
    int64_t second = ((const struct job *)b)->seq;
    return (first > second) - (first < second);
}

/* The array with room for one more; what it was stays in the arena. */
static void *room(struct sl_arena *arena, void *array, size_t count, size_t *cap, size_t bytes)
{
    if (count < *cap)
        return array;
    *cap = *cap ? *cap * 2 : 4;
    void *grown = sl_arena_alloc(arena, *cap, bytes);
    if (count)
        memcpy(grown, array, count * bytes);
    return grown;
}

static void give_subscription(struct facts *facts, const void *row, struct sl_arena *arena)
{
    facts->subscriptions = room(arena, facts->subscriptions, facts->subscription_count, &facts->subscription_cap,
                                sizeof(*facts->subscriptions));
    facts->subscriptions[facts->subscription_count++] = *(const struct subscription *)row;
}

static void give_agent(struct facts *facts, const void *row, struct sl_arena *arena)
{
    facts->agents = room(arena, facts->agents, facts->agent_count, &facts->agent_cap, sizeof(*facts->agents));
    facts->agents[facts->agent_count++] = *(const struct agent *)row;
}

static void give_job(struct facts *facts, const void *row, struct sl_arena *arena)
{
    facts->jobs = room(arena, facts->jobs, facts->job_count, &facts->job_cap, sizeof(*facts->jobs));
    facts->jobs[facts->job_count++] = *(const struct job *)row;
}

static void give_timer(struct facts *facts, const void *row, struct sl_arena *arena)
{
    facts->timers = room(arena, facts->timers, facts->timer_count, &facts->timer_cap, sizeof(*facts->timers));
    facts->timers[facts->timer_count++] = *(const struct timer *)row;
}

/* A row goes to its user's account, and is lent to every other account one of whose events names it: the rules check
 * whose it is. `key` is the row's id; `names` says which id of that kind an event names. */
struct delivery {
    void (*give)(struct facts *facts, const void *row, struct sl_arena *arena);
    struct sl_str (*names)(const struct attempt *attempt, const struct input *input);
};

static struct sl_str names_subscription(const struct attempt *attempt, const struct input *input)
{
    (void)attempt;
    return resolve_subscription_id(input);
}

static struct sl_str uuid_text(const struct attempt *attempt, struct sl_uuid id)
{
    return sl_uuid_is_nil(id) ? SL_STR_NONE : sl_arena_str(attempt->arena, owners_key(&id));
}

static struct sl_str names_agent(const struct attempt *attempt, const struct input *input)
{
    return uuid_text(attempt, resolve_agent_id(input));
}

static struct sl_str names_job(const struct attempt *attempt, const struct input *input)
{
    return uuid_text(attempt, resolve_job_id(input));
}

static struct sl_str names_timer(const struct attempt *attempt, const struct input *input)
{
    return uuid_text(attempt, resolve_timer_id(input));
}

static const struct delivery subscriptions = {give_subscription, names_subscription};
static const struct delivery agents = {give_agent, names_agent};
static const struct delivery jobs = {give_job, names_job};
static const struct delivery timers = {give_timer, names_timer};

/* Who else wants a row: pairs of id and account, sorted by id. */
struct borrower {
    struct sl_str key;
    struct account *account;
};

static int by_borrowed(const void *a, const void *b)
{
    const struct borrower *first = a;
    const struct borrower *second = b;
    int order = sl_str_compare(first->key, second->key);
    return order ? order : (first->account > second->account) - (first->account < second->account);
}

static size_t borrowers_of(const struct attempt *attempt, const struct delivery *delivery, struct borrower **ret_list)
{
    struct borrower *list = sl_arena_alloc(attempt->arena, attempt->count + 1, sizeof(*list));
    size_t count = 0;
    size_t kept = 0;
    for (size_t i = 0; i < attempt->count; i++) {
        const struct input *input = &attempt->items[i]->input;
        struct account *account =
            attempt->items[i]->has_input ? facts_account(attempt, resolve_user(attempt, input)) : NULL;
        struct sl_str key = account ? delivery->names(attempt, input) : SL_STR_NONE;
        if (!sl_str_empty(key))
            list[count++] = (struct borrower){.key = key, .account = account};
    }
    qsort(list, count, sizeof(*list), by_borrowed);
    for (size_t i = 0; i < count; i++) {
        if (!kept || by_borrowed(&list[kept - 1], &list[i]) != 0)
            list[kept++] = list[i];
    }
    *ret_list = list;
    return kept;
}

struct deliverer {
    const struct attempt *attempt;
    const struct delivery *delivery;
    struct borrower *borrowers;
    size_t borrower_count;
};

static struct deliverer deliverer_of(const struct attempt *attempt, const struct delivery *delivery)
{
    struct deliverer deliverer = {.attempt = attempt, .delivery = delivery};
    deliverer.borrower_count = borrowers_of(attempt, delivery, &deliverer.borrowers);
    return deliverer;
}

static void deliver(const struct deliverer *deliverer, struct sl_str key, struct sl_str user_id, const void *row)
{
    struct sl_arena *arena = deliverer->attempt->arena;
    struct account *owner = facts_account(deliverer->attempt, user_id);
    size_t low = 0;
    size_t high = deliverer->borrower_count;
    if (owner)
        deliverer->delivery->give(&owner->facts, row, arena);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sl_str_compare(deliverer->borrowers[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < deliverer->borrower_count && sl_str_equal(deliverer->borrowers[low].key, key); low++) {
        if (deliverer->borrowers[low].account != owner)
            deliverer->delivery->give(&deliverer->borrowers[low].account->facts, row, arena);
    }
}

static void read_subscriptions(struct attempt *attempt, const PGresult *result)
{
    struct deliverer deliverer = deliverer_of(attempt, &subscriptions);
    for (int row = 0; row < PQntuples(result); row++) {
        struct subscription subscription = facts_read_subscription(result, row, attempt->arena);
        deliver(&deliverer, subscription.id, subscription.user_id, &subscription);
    }
}

static void read_agents(struct attempt *attempt, const PGresult *result)
{
    struct deliverer deliverer = deliverer_of(attempt, &agents);
    for (int row = 0; row < PQntuples(result); row++) {
        struct agent agent = facts_read_agent(result, row, attempt->arena);
        deliver(&deliverer, owners_key(&agent.id), agent.user_id, &agent);
    }
}

static void read_jobs(struct attempt *attempt, const PGresult *result)
{
    struct deliverer deliverer = deliverer_of(attempt, &jobs);
    size_t count = (size_t)PQntuples(result);
    struct job *all = sl_arena_alloc(attempt->arena, count + 1, sizeof(*all));
    for (size_t row = 0; row < count; row++)
        all[row] = facts_read_job(result, (int)row, attempt->arena);
    qsort(all, count, sizeof(*all), by_seq);
    for (size_t row = 0; row < count; row++)
        deliver(&deliverer, owners_key(&all[row].id), all[row].user_id, &all[row]);
}

static void read_timers(struct attempt *attempt, const PGresult *result)
{
    struct deliverer deliverer = deliverer_of(attempt, &timers);
    for (int row = 0; row < PQntuples(result); row++) {
        struct timer timer = facts_read_timer(result, row, attempt->arena);
        deliver(&deliverer, owners_key(&timer.id), timer.user_id, &timer);
    }
}

static void read_usages(struct attempt *attempt, const PGresult *result)
{
    for (int row = 0; result && row < PQntuples(result); row++) {
        struct usage usage = facts_read_usage(result, row, attempt->arena);
        struct facts *facts = &asked_account(attempt, usage.user_id)->facts;
        facts->usages =
            room(attempt->arena, facts->usages, facts->usage_count, &facts->usage_cap, sizeof(*facts->usages));
        facts->usages[facts->usage_count++] = usage;
    }
}

static void read_accounts(struct attempt *attempt, const struct pipeline *pipeline, const struct queries *queries)
{
    const PGresult *users = pipeline_result(pipeline, queries->users);
    attempt->accounts = sl_arena_alloc(attempt->arena, attempt->users.count + 1, sizeof(*attempt->accounts));
    if (!users)
        return;
    SL_ASSERT((size_t)PQntuples(users) == attempt->users.count || attempt->only_looks);
    /* Who is new has a row by now, but for those who only look. */
    for (size_t i = 0; attempt->only_looks && i < attempt->users.count; i++)
        attempt->accounts[i].facts = (struct facts){.user = {.id = attempt->users.rows[i].key, .plan = SL_STR("free")},
                                                    .policy = attempt->shell->policy,
                                                    .commons = &attempt->commons};
    for (int row = 0; row < PQntuples(users); row++) {
        struct account *account = facts_account(attempt, sl_pg_get_text(users, row, 0));
        account->facts.user = facts_read_user(users, row, attempt->arena);
        account->facts.policy = attempt->shell->policy;
        account->facts.commons = &attempt->commons;
    }
    read_holds(attempt, pipeline_result(pipeline, queries->letters), pipeline_result(pipeline, queries->held));
    read_subscriptions(attempt, pipeline_result(pipeline, queries->subscriptions));
    read_agents(attempt, pipeline_result(pipeline, queries->agents));
    read_jobs(attempt, pipeline_result(pipeline, queries->jobs));
    read_timers(attempt, pipeline_result(pipeline, queries->timers));
    read_usages(attempt, pipeline_result(pipeline, queries->usages));
}

bool facts_load(struct attempt *attempt, bool *ret_moved, struct sl_err *err)
{
    struct pipeline pipeline;
    pipeline_init(&pipeline, attempt->shell->pg, err);
    struct queries queries = queue_all(&pipeline, attempt);
    if (!pipeline_flush(&pipeline))
        return false;
    *ret_moved = customers_moved(pipeline_result(&pipeline, queries.customers));
    if (!*ret_moved) {
        attempt->knowns = sl_arena_alloc(attempt->arena, attempt->count, sizeof(struct known *));
        read_accounts(attempt, &pipeline, &queries);
        commons_load_read(attempt, &pipeline, &queries.commons);
        read_known(attempt, pipeline_result(&pipeline, queries.known));
    }
    pipeline_deinit(&pipeline);
    return true;
}
