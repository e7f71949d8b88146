/* table_workspace.c - the words for workspaces, their billing, usage and early access; see README.md. */
#include <string.h>

#include "tests/tables/table_parse.h"

const struct sl_str *table_list(struct world *world, struct sl_str text, size_t *ret_count)
{
    struct sl_str *list = sl_arena_alloc(world->arena, text.len + 1, sizeof(*list));
    size_t count = 0;
    while (!sl_str_empty(text))
        list[count++] = sl_str_cut(&text, ',');
    *ret_count = count;
    return list;
}

static struct sl_uuid next_id(struct sl_str *rest)
{
    return world_id(next_letter(rest));
}

/* workspace W TIER: of u-1, who is its owner and first member; owner= makes it another's. */
static bool read_workspace(struct world *world, struct sl_str rest, struct sl_str *ret_problem)
{
    struct workspace row = {.id = next_id(&rest),
                            .name = SL_STR("Team"),
                            .owner_id = SL_STR(WORLD_USER),
                            .created_at_ms = 1,
                            .exists = true};
    row.tier = next_word(&rest);
    struct named_member members[] = {
        {.key = "name", .text = &row.name},
        {.key = "owner", .text = &row.owner_id},
        {.key = "created", .number = &row.created_at_ms},
        {.key = "closed", .number = &row.closed_at_ms},
        {.key = "cycle", .text = &row.cycle_subscription_id},
        {.key = "start", .number = &row.cycle_started_at_s},
        {.key = "end", .number = &row.renews_at_s},
        {.key = "runs", .small = &row.runs_used},
        {.key = "since", .number = &row.runs_since_ms},
    };
    if (!set_members(rest, members, SL_ARRAY_LEN(members), ret_problem))
        return false;
    const struct member owner = {
        .workspace_id = row.id, .user_id = row.owner_id, .role = ROLE_OWNER, .joined_at_ms = 1, .exists = true};
    commons_add_workspace(&world->commons, &row, world->arena);
    if (!row.closed_at_ms)
        commons_add_member(&world->commons, &owner, world->arena);
    return true;
}

/* member W USER ROLE */
static bool read_member(struct world *world, struct sl_str rest, struct sl_str *ret_problem)
{
    struct member row = {.workspace_id = next_id(&rest), .joined_at_ms = 10, .exists = true};
    row.user_id = next_word(&rest);
    row.role = member_role_parse(next_word(&rest));
    struct named_member members[] = {{.key = "joined", .number = &row.joined_at_ms}};
    *ret_problem = SL_STR("a member's role");
    if (row.role == ROLE_NONE || !set_members(rest, members, SL_ARRAY_LEN(members), ret_problem))
        return false;
    commons_add_member(&world->commons, &row, world->arena);
    return true;
}

/* invite I W EMAIL */
static bool read_invite(struct world *world, struct sl_str rest, struct sl_str *ret_problem)
{
    struct invite row = {.id = next_id(&rest), .invited_by = SL_STR(WORLD_USER), .expires_at_ms = 5000, .exists = true};
    row.workspace_id = next_id(&rest);
    row.email = next_word(&rest);
    row.token_sha256 = row.email;
    struct named_member members[] = {
        {.key = "hash", .text = &row.token_sha256},
        {.key = "expires", .number = &row.expires_at_ms},
        {.key = "accepted", .number = &row.accepted_at_ms},
        {.key = "revoked", .number = &row.revoked_at_ms},
    };
    if (!set_members(rest, members, SL_ARRAY_LEN(members), ret_problem))
        return false;
    commons_add_invite(&world->commons, &row, world->arena);
    return true;
}

/* connection W ID: times=N makes as many, ID, ID-2 … */
static bool read_connection(struct world *world, struct sl_str rest, struct sl_str *ret_problem)
{
    struct connection row = {.workspace_id = next_id(&rest),
                             .provider = SL_STR("slack"),
                             .shared_by = SL_STR(WORLD_USER),
                             .sealed = SL_STR("k1:old"),
                             .shared_at_ms = 500,
                             .exists = true};
    int64_t times = 1;
    struct sl_str id = next_word(&rest);
    struct named_member members[] = {
        {.key = "by", .text = &row.shared_by},
        {.key = "times", .number = &times},
        {.key = "provider", .text = &row.provider},
        {.key = "catalog", .text = &row.catalog},
        {.key = "shared_at", .number = &row.shared_at_ms},
    };
    if (!set_members(rest, members, SL_ARRAY_LEN(members), ret_problem))
        return false;
    for (int64_t i = 1; i <= times; i++) {
        row.id = i == 1 ? id : sl_arena_printf(world->arena, "%" SL_STR_FMT "-%lld", SL_STR_ARG(id), (long long)i);
        commons_add_connection(&world->commons, &row, world->arena);
    }
    return true;
}

/* workflow W ID */
static bool read_workflow(struct world *world, struct sl_str rest, struct sl_str *ret_problem)
{
    struct shared_workflow row = {.workspace_id = next_id(&rest), .shared_by = SL_STR(WORLD_USER), .exists = true};
    row.workflow_id = next_word(&rest);
    commons_add_shared_workflow(&world->commons, &row, world->arena);
    return set_members(rest, NULL, 0, ret_problem);
}

/* run W ID */
static bool read_run(struct world *world, struct sl_str rest, struct sl_str *ret_problem)
{
    struct run row = {.workspace_id = next_id(&rest), .workflow_id = SL_STR("wf-1"), .exists = true};
    row.user_id = SL_STR(WORLD_USER);
    row.started_at_ms = 500;
    row.id = next_word(&rest);
    struct named_member members[] = {
        {.key = "at", .number = &row.started_at_ms},
        {.key = "ended", .number = &row.ended_at_ms},
        {.key = "of", .text = &row.user_id},
    };
    if (!set_members(rest, members, SL_ARRAY_LEN(members), ret_problem))
        return false;
    commons_add_run(&world->commons, &row, world->arena);
    return true;
}

/* usage METRIC COUNT: of the first day */
static bool read_usage(struct world *world, struct sl_str rest, struct sl_str *ret_problem)
{
    struct usage *row = sl_arena_alloc(world->arena, 1, sizeof(*row));
    SL_ASSERT(world->facts.usage_count == 0);
    *row = (struct usage){.user_id = world->facts.user.id, .metric = next_word(&rest), .exists = true};
    struct named_member members[] = {
        {.key = "count", .number = &row->count},
        {.key = "told", .number = &row->told_at_ms},
    };
    world->facts.usages = row;
    world->facts.usage_count = world->facts.usage_cap = 1;
    return set_members(rest, members, SL_ARRAY_LEN(members), ret_problem);
}

static bool read_early_access(struct world *world, struct sl_str rest, struct sl_str *ret_problem)
{
    struct early_access row = {.email = next_word(&rest), .joined_at_ms = 10, .exists = true};
    commons_add_early_access(&world->commons, &row, world->arena);
    return set_members(rest, NULL, 0, ret_problem);
}

/* pending J: what the user's checkout is to bring; J opens, or opened, its session. */
static bool read_pending(struct world *world, struct sl_str rest, struct sl_str *ret_problem)
{
    struct user *user = &world->facts.user;
    struct sl_str workflows = SL_STR_NONE;
    user->pending_job_id = next_id(&rest);
    user->pending_plan = SL_STR("workspace");
    struct named_member members[] = {
        {.key = "session", .text = &user->pending_session_id},
        {.key = "plan", .text = &user->pending_plan},
        {.key = "name", .text = &user->pending_workspace_name},
        {.key = "workflows", .text = &workflows},
    };
    if (!set_members(rest, members, SL_ARRAY_LEN(members), ret_problem))
        return false;
    user->pending_workflow_ids = table_list(world, workflows, &user->pending_workflow_count);
    return true;
}

/* billing: what else is on the user's row. */
static bool read_billing(struct world *world, struct sl_str rest, struct sl_str *ret_problem)
{
    struct user *user = &world->facts.user;
    struct named_member members[] = {
        {.key = "at", .number = &user->billing_created_s},
        {.key = "error", .text = &user->last_error},
        {.key = "error_at", .number = &user->last_error_at_ms},
    };
    return set_members(rest, members, SL_ARRAY_LEN(members), ret_problem);
}

const struct fact_word *table_workspace_fact(struct sl_str word)
{
    static const struct fact_word WORDS[] = {
        {"workspace", read_workspace},   {"member", read_member},      {"invite", read_invite},
        {"connection", read_connection}, {"workflow", read_workflow},  {"run", read_run},
        {"usage", read_usage},           {"early", read_early_access}, {"pending", read_pending},
        {"billing", read_billing},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(WORDS); i++) {
        if (sl_str_is(word, WORDS[i].word))
            return &WORDS[i];
    }
    return NULL;
}

static void job_keys(struct event_words *words)
{
    struct input_job *job = &words->input->as.job;
    add_text(words, "checkout_url", &job->checkout_url);
    add_text(words, "session", &job->session_id);
    add_text(words, "customer_id", &job->customer_id);
    add_text(words, "catalog", &job->catalog);
    add_member(words, (struct named_member){.key = "effective_at", .number = &job->effective_at_s});
    add_member(words, (struct named_member){.key = "renews_at", .number = &job->renews_at_s});
}

static void billing_keys(struct event_words *words)
{
    struct input_billing *command = &words->input->as.billing;
    *command = (struct input_billing){.plan = named(words)};
    add_text(words, "name", &command->workspace_name);
    add_text(words, "success_url", &command->success_url);
    add_text(words, "cancel_url", &command->cancel_url);
}

static void workspace_keys(struct event_words *words)
{
    struct input_workspace *command = &words->input->as.workspace;
    *command = (struct input_workspace){
        .workspace_id = words->id, .token = SL_STR("tok"), .token_sha256 = SL_STR("hash"), .sealed = SL_STR("k1:new")};
    add_text(words, "email", &command->email);
    add_text(words, "token", &command->token);
    add_text(words, "hash", &command->token_sha256);
    add_text(words, "sealed", &command->sealed);
    add_text(words, "member", &command->member_id);
    add_text(words, "connection", &command->connection_id);
    add_text(words, "provider", &command->provider);
    add_text(words, "workflow", &command->workflow_id);
    add_text(words, "run", &command->run_id);
}

void table_workspace_event(struct event_words *words)
{
    struct input *input = words->input;
    if (input->type >= INPUT_WORKSPACE_INVITE && input->type <= INPUT_RUN_FINISH) {
        workspace_keys(words);
        return;
    }
    switch ((int)input->type) {
    case INPUT_CHECKOUT_START:
    case INPUT_WORKSPACE_PLAN_CHANGE:
        billing_keys(words);
        break;
    case INPUT_MEMBER_REMOVED:
        workspace_keys(words);
        break;
    case INPUT_EARLY_ACCESS_JOIN:
        input->as.workspace.email = named(words);
        break;
    case INPUT_USAGE_RECORD:
        input->as.usage.metric = named(words);
        add_member(words, (struct named_member){.key = "count", .number = &input->as.usage.count});
        break;
    case INPUT_PURGE_STALE_RUNS:
        add_member(words, (struct named_member){.key = "older", .number = &input->as.purge.older_than_ms});
        break;
    case INPUT_STRIPE_PAYMENT_INTENT_FAILED:
        add_text(words, "reason", &input->as.payment.reason);
        break;
    case INPUT_JOB_SUCCEEDED:
        job_keys(words);
        break;
    default:
        if (input->type >= INPUT_STRIPE_CHECKOUT_COMPLETED && input->type <= INPUT_STRIPE_CHECKOUT_EXPIRED)
            add_text(words, "session", &input->as.checkout.session_id);
        break;
    }
}
