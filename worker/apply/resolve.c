/* resolve.c - see resolve.h. */
#include "worker/apply/resolve.h"

#include "worker/apply/pipeline.h"
#include "worker/decide/instance.h"

static const char CUSTOMERS[] =
    "SELECT id, user_id FROM sluice.customers WHERE id = ANY($1::text[]) AND user_id IS NOT NULL";
static const char SUBSCRIPTIONS[] = "SELECT id, user_id FROM sluice.subscriptions WHERE id = ANY($1::text[])";
/* For who only looks: nothing is locked, and nothing moves meanwhile. */
static const char BEGIN_TO_LOOK[] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
static const char JOBS[] = "SELECT id, user_id FROM sluice.jobs WHERE id = ANY($1::uuid[])";

struct sl_str resolve_subscription_id(const struct input *input)
{
    switch (input->type) {
    case INPUT_STRIPE_SUBSCRIPTION_CREATED:
    case INPUT_STRIPE_SUBSCRIPTION_UPDATED:
    case INPUT_STRIPE_SUBSCRIPTION_DELETED:
        return input->as.subscription.id;
    case INPUT_STRIPE_INVOICE_PAID:
    case INPUT_STRIPE_INVOICE_PAYMENT_FAILED:
        return input->as.invoice.subscription_id;
    case INPUT_STRIPE_CHECKOUT_COMPLETED:
    case INPUT_STRIPE_CHECKOUT_ASYNC_SUCCEEDED:
    case INPUT_STRIPE_CHECKOUT_ASYNC_FAILED:
    case INPUT_STRIPE_CHECKOUT_EXPIRED:
        return input->as.checkout.subscription_id;
    case INPUT_TIMER_GRACE_ENDING:
    case INPUT_TIMER_GRACE_EXPIRED:
        return input->as.timer.subject; /* or the user's id, which is no subscription's */
    default:
        return SL_STR_NONE;
    }
}

struct sl_str resolve_customer_id(const struct input *input)
{
    return input->type == INPUT_JOB_SUCCEEDED ? input->as.job.customer_id : input->customer_id;
}

struct sl_uuid resolve_job_id(const struct input *input)
{
    switch (input->type) {
    case INPUT_CALLBACK_CLAIMED:
    case INPUT_CALLBACK_HEARTBEAT:
    case INPUT_CALLBACK_COMPLETED:
    case INPUT_CALLBACK_FAILED:
        return input->as.callback.job_id;
    case INPUT_WORKFLOW_RUN:
        return input->as.workflow_run.job_id;
    case INPUT_JOB_RETRY:
    case INPUT_JOB_CANCEL:
    case INPUT_JOB_DISPATCHED:
    case INPUT_JOB_SUCCEEDED:
    case INPUT_JOB_FAILED:
    case INPUT_JOB_CANCELLED:
        return input->as.job.job_id;
    case INPUT_TIMER_HEARTBEAT_MISSED:
    case INPUT_TIMER_PROVISION_TIMEOUT:
        return input->as.timer.job_id;
    default:
        return (struct sl_uuid){0};
    }
}

struct sl_uuid resolve_agent_id(const struct input *input)
{
    switch (input->type) {
    case INPUT_AGENT_CREATE:
    case INPUT_AGENT_PROVISION:
    case INPUT_AGENT_START:
    case INPUT_AGENT_STOP:
    case INPUT_AGENT_DESTROY:
    case INPUT_AGENT_REPAIR:
        return input->as.agent.agent_id;
    case INPUT_STRIPE_CHECKOUT_COMPLETED:
    case INPUT_STRIPE_CHECKOUT_ASYNC_SUCCEEDED:
    case INPUT_STRIPE_CHECKOUT_ASYNC_FAILED:
    case INPUT_STRIPE_CHECKOUT_EXPIRED:
        return input->as.checkout.agent_id;
    case INPUT_STRIPE_SUBSCRIPTION_CREATED:
    case INPUT_STRIPE_SUBSCRIPTION_UPDATED:
    case INPUT_STRIPE_SUBSCRIPTION_DELETED:
    case INPUT_STRIPE_INVOICE_PAID:
        /* A subscription's instance, which may be destroyed: what ended it says whether it comes back. */
        return instance_id_of(resolve_subscription_id(input));
    default:
        return (struct sl_uuid){0};
    }
}

struct sl_uuid resolve_timer_id(const struct input *input)
{
    return input_type_is_timer(input->type) ? input->as.timer.timer_id : (struct sl_uuid){0};
}

/* The types whose input is as.workspace. */
static bool is_of_workspace(enum input_type type)
{
    switch (type) {
    case INPUT_WORKSPACE_INVITE:
    case INPUT_INVITE_ACCEPT:
    case INPUT_WORKSPACE_LEAVE:
    case INPUT_WORKSPACE_REVOKE:
    case INPUT_CONNECTION_SHARE:
    case INPUT_CONNECTION_UNSHARE:
    case INPUT_RUN_START:
    case INPUT_RUN_FINISH:
    case INPUT_EARLY_ACCESS_JOIN:
    case INPUT_MEMBER_REMOVED:
        return true;
    default:
        return false;
    }
}

struct sl_uuid resolve_workspace_id(const struct input *input)
{
    return is_of_workspace(input->type) ? input->as.workspace.workspace_id : (struct sl_uuid){0};
}

struct sl_str resolve_run_id(const struct input *input)
{
    return is_of_workspace(input->type) ? input->as.workspace.run_id : SL_STR_NONE;
}

struct sl_str resolve_token_sha256(const struct input *input)
{
    return is_of_workspace(input->type) ? input->as.workspace.token_sha256 : SL_STR_NONE;
}

struct sl_str resolve_early_access(const struct input *input)
{
    return input->type == INPUT_EARLY_ACCESS_JOIN ? input->as.workspace.email : SL_STR_NONE;
}

unsigned resolve_reads(const struct input *input)
{
    const struct input_job *job = &input->as.job;
    /* Of all jobs that end, and they are many, those that read a connection or talk to Stripe alone touch a workspace.
     */
    if (input->type == INPUT_JOB_SUCCEEDED && sl_str_empty(job->catalog) && sl_str_empty(job->session_id) &&
        !job->effective_at_s && !job->renews_at_s)
        return 0;
    return input_type_reads(input->type);
}

/* A copy of the id in the arena as a key; empty for the nil one. */
static struct sl_str uuid_key(struct sl_arena *arena, struct sl_uuid id)
{
    return sl_uuid_is_nil(id) ? SL_STR_NONE : sl_arena_str(arena, owners_key(&id));
}

static void collect(struct attempt *attempt)
{
    owners_init(&attempt->customers, attempt->arena, attempt->count);
    owners_init(&attempt->subscriptions, attempt->arena, attempt->count);
    owners_init(&attempt->jobs, attempt->arena, attempt->count);
    for (size_t i = 0; i < attempt->count; i++) {
        const struct input *input = &attempt->items[i]->input;
        if (!attempt->items[i]->has_input)
            continue;
        owners_add(&attempt->customers, resolve_customer_id(input));
        owners_add(&attempt->subscriptions, resolve_subscription_id(input));
        owners_add(&attempt->jobs, uuid_key(attempt->arena, resolve_job_id(input)));
    }
    owners_seal(&attempt->customers);
    owners_seal(&attempt->subscriptions);
    owners_seal(&attempt->jobs);
}

static int queue_lookup(struct pipeline *pipeline, const char *sql, const struct owners *owners,
                        enum sl_pg_type key_type, struct sl_arena *arena)
{
    struct sl_pg_params params;
    struct sl_pg_array *keys = sl_pg_array_create(arena, key_type);
    if (!owners->count)
        return -1;
    for (size_t i = 0; i < owners->count; i++) {
        struct sl_uuid id;
        if (key_type == SL_PG_UUID) {
            SL_ASSERT(owners->rows[i].key.len == sizeof(id.bytes));
            __builtin_memcpy(id.bytes, owners->rows[i].key.ptr, sizeof(id.bytes));
            sl_pg_array_uuid(keys, id);
        } else {
            sl_pg_array_text(keys, owners->rows[i].key);
        }
    }
    sl_pg_params_init(&params, arena);
    sl_pg_array(&params, keys);
    return pipeline_add(pipeline, sql, &params);
}

static void read_lookup(const PGresult *result, struct owners *owners, bool keys_are_uuids, struct sl_arena *arena)
{
    for (int row = 0; result && row < PQntuples(result); row++) {
        struct sl_uuid id = keys_are_uuids ? sl_pg_get_uuid(result, row, 0) : (struct sl_uuid){0};
        struct owner *owner = owners_find(owners, keys_are_uuids ? owners_key(&id) : sl_pg_get_text(result, row, 0));
        SL_ASSERT(owner);
        owner->user_id = sl_arena_str(arena, sl_pg_get_text(result, row, 1));
    }
}

static struct sl_str known_user(const struct attempt *attempt, const struct input *input)
{
    if (!sl_str_empty(input->user_named))
        return input->user_named;
    struct sl_str user = owners_user(&attempt->customers, input->customer_id);
    if (sl_str_empty(user))
        user = owners_user(&attempt->subscriptions, resolve_subscription_id(input));
    struct sl_uuid job_id = resolve_job_id(input);
    if (sl_str_empty(user) && !sl_uuid_is_nil(job_id))
        user = owners_user(&attempt->jobs, owners_key(&job_id));
    return user;
}

bool resolve_is_made_of_customer(const struct attempt *attempt, const struct input *input)
{
    return attempt->shell->policy->unknown_customer_create && sl_str_empty(known_user(attempt, input)) &&
           !sl_str_empty(input->customer_id);
}

struct sl_str resolve_user(const struct attempt *attempt, const struct input *input)
{
    return resolve_is_made_of_customer(attempt, input) ? input->customer_id : known_user(attempt, input);
}

/* Will an event before this one say whose its customer is? Then no account is made of the customer. */
static bool is_named_before(const struct attempt *attempt, size_t index)
{
    struct sl_str customer_id = attempt->items[index]->input.customer_id;
    for (size_t i = 0; i < index; i++) {
        const struct input *earlier = &attempt->items[i]->input;
        if (attempt->items[i]->has_input && !sl_str_empty(earlier->user_named) &&
            sl_str_equal(earlier->customer_id, customer_id))
            return true;
    }
    return false;
}

static void collect_users(struct attempt *attempt)
{
    owners_init(&attempt->users, attempt->arena, attempt->count);
    for (size_t i = 0; i < attempt->count; i++) {
        const struct input *input = &attempt->items[i]->input;
        if (attempt->items[i]->has_input &&
            !(resolve_is_made_of_customer(attempt, input) && is_named_before(attempt, i)))
            owners_add(&attempt->users, resolve_user(attempt, input));
    }
    owners_seal(&attempt->users);
    attempt->unlinked = sl_arena_alloc(attempt->arena, attempt->customers.count + 1, sizeof(*attempt->unlinked));
    for (size_t i = 0; i < attempt->customers.count; i++) {
        if (sl_str_empty(attempt->customers.rows[i].user_id))
            attempt->unlinked[attempt->unlinked_count++] = attempt->customers.rows[i].key;
    }
}

bool resolve_owners(struct attempt *attempt, struct sl_err *err)
{
    struct pipeline pipeline;
    collect(attempt);
    pipeline_init(&pipeline, attempt->shell->pg, err);
    (void)pipeline_add(&pipeline, attempt->only_looks ? BEGIN_TO_LOOK : SL_PG_BEGIN, NULL);
    int customers = queue_lookup(&pipeline, CUSTOMERS, &attempt->customers, SL_PG_TEXT, attempt->arena);
    int subscriptions = queue_lookup(&pipeline, SUBSCRIPTIONS, &attempt->subscriptions, SL_PG_TEXT, attempt->arena);
    int jobs = queue_lookup(&pipeline, JOBS, &attempt->jobs, SL_PG_UUID, attempt->arena);
    if (!pipeline_flush(&pipeline))
        return false;
    read_lookup(pipeline_result(&pipeline, customers), &attempt->customers, false, attempt->arena);
    read_lookup(pipeline_result(&pipeline, subscriptions), &attempt->subscriptions, false, attempt->arena);
    read_lookup(pipeline_result(&pipeline, jobs), &attempt->jobs, true, attempt->arena);
    pipeline_deinit(&pipeline);
    collect_users(attempt);
    return true;
}
