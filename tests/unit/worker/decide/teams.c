/* teams.c - see teams.h. Users are "u-1" on; their addresses "u-1@example.com" on. */
#include "tests/unit/worker/decide/teams.h"

#include <string.h>

#include "tests/support/digest.h"

#define HOUR_MS INT64_C(3600000)

static unsigned draw(struct teams *teams, unsigned below)
{
    return draws_below(&teams->draws, below);
}

static bool chance(struct teams *teams, unsigned percent)
{
    return draw(teams, 100) < percent;
}

static struct sl_str numbered(struct teams *teams, const char *prefix, unsigned number)
{
    return sl_arena_printf(teams->world.arena, "%s%u", prefix, number);
}

static struct sl_str address_of(struct teams *teams, size_t user)
{
    return sl_arena_printf(teams->world.arena, "u-%zu@example.com", user + 1);
}

void teams_init(struct teams *teams, struct draws draws)
{
    *teams = (struct teams){.draws = draws, .now_ms = INT64_C(1769000000000)};
    world_init(&teams->world);
    teams->world.offers[3].max_runs = 3;
    teams->world.offers[4].max_runs = 6;
    teams->world.offers[4].max_members = 3;
    for (size_t i = 0; i <= TEAMS_USERS; i++)
        teams->users[i] = teams->world.facts;
    for (size_t i = 0; i < TEAMS_USERS; i++) {
        teams->users[i].user.id = numbered(teams, "u-", (unsigned)i + 1);
        teams->users[i].user.email = address_of(teams, i);
    }
    teams->users[TEAMS_NOBODY].user = (struct user){.id = SL_STR_NONE};
}

void teams_deinit(struct teams *teams)
{
    world_deinit(&teams->world);
}

static struct input new_event(struct teams *teams, enum input_type type, size_t user)
{
    struct input input = world_input(type, numbered(teams, "evt_", teams->events++), teams->now_ms);
    input.user_id = teams->users[user].user.id;
    input.user_named = input_type_is_command(type) || input_type_is_stripe(type) ? input.user_id : SL_STR_NONE;
    if (input_type_is_stripe(type))
        input.created_s = teams->now_ms / 1000 - draw(teams, 7200);
    return input;
}

/* The invariants, and what the model counts. */

static bool is_open(const struct invite *invite)
{
    return !invite->accepted_at_ms && !invite->revoked_at_ms;
}

static int open_invites(const struct teams *teams, struct sl_uuid workspace_id)
{
    const struct commons *commons = &teams->world.commons;
    int count = 0;
    for (size_t i = 0; i < commons->invite_count; i++)
        count += is_open(commons->invites[i]) && sl_uuid_equal(commons->invites[i]->workspace_id, workspace_id);
    return count;
}

static int connections_of(const struct teams *teams, struct sl_uuid workspace_id)
{
    const struct commons *commons = &teams->world.commons;
    int count = 0;
    for (size_t i = 0; i < commons->connection_count; i++)
        count += !commons->connections[i]->gone && sl_uuid_equal(commons->connections[i]->workspace_id, workspace_id);
    return count;
}

static void check_workspace(const struct teams *teams, const struct workspace *workspace)
{
    const struct commons *commons = &teams->world.commons;
    int members = 0, owners = 0;
    for (size_t i = 0; i < commons->member_count; i++) {
        const struct member *member = commons->members[i];
        if (member->gone || !sl_uuid_equal(member->workspace_id, workspace->id))
            continue;
        members++;
        owners += member->role == ROLE_OWNER;
        SL_ASSERT((member->role == ROLE_OWNER) == sl_str_equal(member->user_id, workspace->owner_id));
    }
    bool has_cycle = !sl_str_empty(workspace->cycle_subscription_id);
    SL_ASSERT(has_cycle == (workspace->renews_at_s != 0) && has_cycle == (workspace->cycle_started_at_s != 0));
    SL_ASSERT(!has_cycle || !sl_str_is(workspace->tier, "solo"));
    if (workspace->closed_at_ms) {
        SL_ASSERT(members == 0 && !has_cycle);
        SL_ASSERT(open_invites(teams, workspace->id) == 0 && connections_of(teams, workspace->id) == 0);
    } else {
        SL_ASSERT(members >= 1 && owners == 1);
    }
}

static void check_rows(const struct teams *teams)
{
    const struct commons *commons = &teams->world.commons;
    for (size_t i = 0; i < commons->connection_count; i++) {
        const struct connection *row = commons->connections[i];
        SL_ASSERT(row->gone || commons_member(commons, row->workspace_id, row->shared_by));
    }
    for (size_t i = 0; i < commons->invite_count; i++) {
        const struct invite *row = commons->invites[i];
        SL_ASSERT(!row->accepted_at_ms || !sl_str_empty(row->accepted_by));
        for (size_t k = 0; k < i; k++) {
            const struct invite *other = commons->invites[k];
            bool both_open = is_open(row) && is_open(other) && row->expires_at_ms > teams->now_ms &&
                             other->expires_at_ms > teams->now_ms;
            SL_ASSERT(!both_open || !sl_str_equal(row->email, other->email) ||
                      !sl_uuid_equal(row->workspace_id, other->workspace_id));
        }
    }
    for (size_t i = 0; i < commons->run_count; i++)
        SL_ASSERT((commons->runs[i]->ended_at_ms != 0) == !sl_str_empty(commons->runs[i]->end_reason));
}

static void check_user(const struct facts *facts)
{
    const struct user *user = &facts->user;
    bool pends = !sl_uuid_is_nil(user->pending_job_id);
    SL_ASSERT(pends == !sl_str_empty(user->pending_plan));
    SL_ASSERT(pends || (sl_str_empty(user->pending_session_id) && user->pending_workflow_count == 0));
    SL_ASSERT(sl_str_empty(user->last_error) == (user->last_error_at_ms == 0));
    for (size_t i = 0; i < facts->usage_count; i++) {
        const struct usage *usage = &facts->usages[i];
        SL_ASSERT(usage->count >= 0);
        SL_ASSERT(!sl_str_is(usage->metric, "messages") || usage->count <= 1000);
    }
    for (size_t i = 0; i < facts->job_count; i++) {
        const struct job *job = &facts->jobs[i];
        bool has_ended = !job_status_is_open(job->status);
        SL_ASSERT(job->kind != JOB_STRIPE || !has_ended || sl_str_empty(job->answer_type));
    }
}

static int seats_of(const struct teams *teams, const struct workspace *workspace)
{
    const struct commons *commons = &teams->world.commons;
    int taken = 0;
    for (size_t i = 0; i < commons->member_count; i++)
        taken += !commons->members[i]->gone && sl_uuid_equal(commons->members[i]->workspace_id, workspace->id);
    for (size_t i = 0; i < commons->invite_count; i++) {
        const struct invite *invite = commons->invites[i];
        taken += is_open(invite) && invite->expires_at_ms > teams->now_ms &&
                 sl_uuid_equal(invite->workspace_id, workspace->id);
    }
    return taken;
}

/* What a decision may do, seen from the rows before and after it. */
static void check_plan(struct teams *teams, const struct plan *plan)
{
    const struct input *input = plan->input;
    bool tells_limit = strcmp(plan->rule, "usage.record.limit_told") == 0;
    bool learns = plan->user_changed || !sl_str_empty(plan->link_customer_id);
    SL_ASSERT((plan->outcome == OUTCOME_REJECTED) == (plan->error != ERROR_NONE));
    if (plan->outcome == OUTCOME_REJECTED && input_type_is_command(input->type) && !tells_limit)
        SL_ASSERT(digest_plan_is_empty(plan));
    if (plan->outcome != OUTCOME_APPLIED && !learns && !tells_limit)
        SL_ASSERT(digest_plan_is_empty(plan));
    for (size_t i = 0; i < plan->commons.workspace_count; i++) {
        const struct workspace *row = plan->commons.workspaces[i];
        bool falls = strcmp(plan->rule, "workspace.plan_change.downgrades") == 0 ||
                     strncmp(plan->rule, "subscription.", strlen("subscription.")) == 0;
        if (sl_str_is(row->tier, "solo") && falls)
            SL_ASSERT(connections_of(teams, row->id) == 0);
        teams->counts.downgraded += sl_str_is(row->tier, "solo") && falls;
    }
    bool takes_seat = input->type == INPUT_WORKSPACE_INVITE || input->type == INPUT_INVITE_ACCEPT;
    for (size_t i = 0; takes_seat && i < plan->commons.invite_count; i++) {
        struct sl_uuid id = plan->commons.invites[i]->workspace_id;
        const struct workspace *workspace = commons_workspace(&teams->world.commons, id);
        SL_ASSERT(seats_of(teams, workspace) <= policy_offer(&teams->world.policy, workspace->tier)->max_members);
    }
}

static void note_answers(struct teams *teams, const struct plan *plan)
{
    if (plan->answers_later) {
        SL_ASSERT(teams->wait_count < TEAMS_WAITS_MAX);
        teams->waits[teams->wait_count++] = (struct teams_wait){.event_id = plan->input->event_id};
    }
    if (!plan->has_answer)
        return;
    bool waited = false;
    for (size_t i = 0; i < teams->wait_count; i++) {
        if (!sl_str_equal(teams->waits[i].event_id, plan->answer.event_id))
            continue;
        SL_ASSERT(!teams->waits[i].answered);
        waited = teams->waits[i].answered = true;
    }
    SL_ASSERT(waited);
    teams->counts.answered++;
}

static void note_counts(struct teams *teams, const struct plan *plan)
{
    const struct {
        const char *rule;
        long *count;
    } COUNTED[] = {
        {"checkout.completed.upgrades_workspace", &teams->counts.upgraded},
        {"invite.accept.joins", &teams->counts.joined},
        {"workspace.leave.closes", &teams->counts.closed},
        {"workspace.leave.hands_over", &teams->counts.handed_over},
        {"workspace.revoke.removes", &teams->counts.removed},
        {"workspace.invite.over_limit", &teams->counts.over_limit},
        {"run.start.over_limit", &teams->counts.over_limit},
        {"admin.purge_stale_runs.purges", &teams->counts.purged},
        {"usage.record.limit_told", &teams->counts.told},
    };
    teams->counts.decided++;
    for (size_t i = 0; i < SL_ARRAY_LEN(COUNTED); i++)
        *COUNTED[i].count += strcmp(COUNTED[i].rule, plan->rule) == 0;
}

static void post(struct teams *teams, size_t user, struct input input)
{
    if (teams->log_count < TEAMS_LOG_MAX)
        teams->log[teams->log_count++] = (struct teams_event){.input = input, .user = user};
}

static size_t user_of(const struct teams *teams, struct sl_str id)
{
    for (size_t i = 0; i < TEAMS_USERS; i++) {
        if (sl_str_equal(teams->users[i].user.id, id))
            return i;
    }
    SL_ASSERT(false);
    return 0;
}

static void deliver(struct teams *teams, size_t user, const struct input *input)
{
    struct world *world = &teams->world;
    struct input *kept = sl_arena_alloc(world->arena, 1, sizeof(*kept));
    *kept = *input;
    world->facts = teams->users[user];
    const struct plan *plan = world_decide(world, kept);
    SL_ASSERT(digest_plan(plan) == digest_plan(world_decide(world, kept)));
    facts_apply(&world->facts, plan, world->arena);
    for (size_t i = 0; i < world->facts.job_count; i++) {
        if (world->facts.jobs[i].seq == 0)
            world->facts.jobs[i].seq = ++world->seq;
    }
    teams->users[user] = world->facts;
    facts_check(&world->facts);
    check_plan(teams, plan);
    note_answers(teams, plan);
    note_counts(teams, plan);
    for (size_t i = 0; i < plan->notice_count; i++) {
        size_t to = user_of(teams, plan->notices[i].user_id);
        struct input notice = new_event(teams, INPUT_MEMBER_REMOVED, to);
        SL_ASSERT(teams->log_count < TEAMS_LOG_MAX);
        post(teams, to, notice);
    }
    for (size_t i = 0; i < world->commons.workspace_count; i++)
        check_workspace(teams, world->commons.workspaces[i]);
    check_rows(teams);
    check_user(&teams->users[user]);
}

/* Who acts. */

/* Mostly one of the user's own. */
static struct sl_uuid some_workspace(struct teams *teams, size_t user)
{
    const struct commons *commons = &teams->world.commons;
    if (!commons->workspace_count || chance(teams, 3))
        return world_id('X');
    size_t start = draw(teams, (unsigned)commons->member_count);
    for (size_t i = 0; i < commons->member_count && chance(teams, 98); i++) {
        const struct member *member = commons->members[(start + i) % commons->member_count];
        if (!member->gone && sl_str_equal(member->user_id, teams->users[user].user.id))
            return member->workspace_id;
    }
    return commons->workspaces[draw(teams, (unsigned)commons->workspace_count)]->id;
}

/* Mostly one that is open. */
static struct sl_str some_hash(struct teams *teams)
{
    const struct commons *commons = &teams->world.commons;
    if (!commons->invite_count || chance(teams, 5))
        return SL_STR("no such hash");
    size_t start = draw(teams, (unsigned)commons->invite_count);
    for (size_t i = 0; i < commons->invite_count && chance(teams, 95); i++) {
        const struct invite *invite = commons->invites[(start + i) % commons->invite_count];
        if (is_open(invite))
            return invite->token_sha256;
    }
    return commons->invites[start]->token_sha256;
}

static void fill_workspace_command(struct teams *teams, size_t user, struct input *input)
{
    static const char *const PROVIDERS[] = {"slack", "microsoft", "teams"};
    struct input_workspace *command = &input->as.workspace;
    struct sl_str token = numbered(teams, "token ", teams->events);
    *command = (struct input_workspace){
        .workspace_id = some_workspace(teams, user),
        .member_id = teams->users[draw(teams, TEAMS_USERS)].user.id,
        .email = address_of(teams, draw(teams, TEAMS_USERS)),
        .token = token,
        .token_sha256 = input->type == INPUT_INVITE_ACCEPT ? some_hash(teams) : token,
        .connection_id = numbered(teams, "c-", draw(teams, 3)),
        .provider = sl_str_of(PROVIDERS[draw(teams, SL_ARRAY_LEN(PROVIDERS))]),
        .sealed = SL_STR("k1:sealed"),
        .workflow_id = SL_STR("wf-1"),
        .run_id = chance(teams, 30) ? SL_STR_NONE : numbered(teams, "r-", draw(teams, 40)),
    };
    if (input->type == INPUT_RUN_FINISH && chance(teams, 50))
        command->workspace_id = (struct sl_uuid){.bytes = {0}};
}

static void fill_plan_change(struct teams *teams, struct input *input)
{
    static const struct sl_str WORKFLOWS[] = {{.ptr = "wf-1", .len = 4}, {.ptr = "wf-2", .len = 4}};
    static const char *const PLANS[] = {"workspace", "workspace", "workspace", "solo", "starter", "gone"};
    input->as.billing = (struct input_billing){
        .plan = sl_str_of(PLANS[draw(teams, SL_ARRAY_LEN(PLANS))]),
        .workspace_name = chance(teams, 50) ? SL_STR("Team") : SL_STR_NONE,
        .shared_workflow_ids = WORKFLOWS,
        .shared_workflow_count = draw(teams, 3),
    };
}

static void person_acts(struct teams *teams)
{
    static const enum input_type TYPES[] = {
        INPUT_CHECKOUT_START,
        INPUT_WORKSPACE_PLAN_CHANGE,
        INPUT_WORKSPACE_PLAN_CHANGE,
        INPUT_WORKSPACE_PLAN_CHANGE,
        INPUT_WORKSPACE_INVITE,
        INPUT_WORKSPACE_INVITE,
        INPUT_WORKSPACE_INVITE,
        INPUT_WORKSPACE_INVITE,
        INPUT_INVITE_ACCEPT,
        INPUT_INVITE_ACCEPT,
        INPUT_INVITE_ACCEPT,
        INPUT_WORKSPACE_LEAVE,
        INPUT_WORKSPACE_REVOKE,
        INPUT_CONNECTION_SHARE,
        INPUT_CONNECTION_SHARE,
        INPUT_CONNECTION_UNSHARE,
        INPUT_RUN_START,
        INPUT_RUN_START,
        INPUT_RUN_FINISH,
        INPUT_USAGE_RECORD,
        INPUT_EARLY_ACCESS_JOIN,
        INPUT_SUBSCRIPTION_RESUME,
        INPUT_PURGE_STALE_RUNS,
    };
    enum input_type type = TYPES[draw(teams, SL_ARRAY_LEN(TYPES))];
    size_t user = type == INPUT_EARLY_ACCESS_JOIN ? TEAMS_NOBODY : draw(teams, TEAMS_USERS);
    struct input input = new_event(teams, type, user);
    if (chance(teams, 2))
        memset(&input.as, 0, sizeof(input.as)); /* the least that a command may carry */
    else if (type >= INPUT_WORKSPACE_INVITE && type <= INPUT_RUN_FINISH)
        fill_workspace_command(teams, user, &input);
    else if (type == INPUT_WORKSPACE_PLAN_CHANGE || type == INPUT_CHECKOUT_START)
        fill_plan_change(teams, &input);
    else if (type == INPUT_USAGE_RECORD)
        input.as.usage = (struct input_usage){.metric = chance(teams, 70) ? SL_STR("messages") : SL_STR("api_calls"),
                                              .count = 1 + draw(teams, 90)};
    else if (type == INPUT_EARLY_ACCESS_JOIN)
        input.as.workspace.email = address_of(teams, draw(teams, 3));
    post(teams, user, input);
}

static void subscription_changes(struct teams *teams, size_t user, struct input *input)
{
    static const char *const STATUSES[] = {"active", "active", "trialing", "past_due", "unpaid", "incomplete"};
    static const char *const PRICES[] = {"price_workspace", "price_workspace", "price_enterprise"};
    int64_t start_s = teams->now_ms / 1000 - draw(teams, 86400);
    input->as.subscription = (struct input_subscription){
        .id = sl_arena_printf(teams->world.arena, "sub_%zu_%u", user, draw(teams, 3)),
        .status = sl_str_of(STATUSES[draw(teams, SL_ARRAY_LEN(STATUSES))]),
        .price_id = sl_str_of(PRICES[draw(teams, SL_ARRAY_LEN(PRICES))]),
        .current_period_start_s = start_s,
        .current_period_end_s = start_s + 30 * 86400,
        .cancel_at_period_end = chance(teams, 20),
    };
}

static void stripe_acts(struct teams *teams)
{
    static const enum input_type TYPES[] = {
        INPUT_STRIPE_CHECKOUT_ASYNC_FAILED,  INPUT_STRIPE_CHECKOUT_EXPIRED,     INPUT_STRIPE_PAYMENT_INTENT_FAILED,
        INPUT_STRIPE_SUBSCRIPTION_CREATED,   INPUT_STRIPE_SUBSCRIPTION_UPDATED, INPUT_STRIPE_SUBSCRIPTION_DELETED,
        INPUT_STRIPE_INVOICE_PAYMENT_FAILED,
    };
    size_t user = draw(teams, TEAMS_USERS);
    struct input input = new_event(teams, TYPES[draw(teams, SL_ARRAY_LEN(TYPES))], user);
    if (!sl_str_empty(teams->users[user].user.pending_session_id) && chance(teams, 70))
        input.type = chance(teams, 70) ? INPUT_STRIPE_CHECKOUT_COMPLETED : INPUT_STRIPE_CHECKOUT_ASYNC_SUCCEEDED;
    if (input.type <= INPUT_STRIPE_SUBSCRIPTION_DELETED)
        subscription_changes(teams, user, &input);
    else if (input.type == INPUT_STRIPE_INVOICE_PAYMENT_FAILED)
        input.as.invoice.subscription_id = sl_arena_printf(teams->world.arena, "sub_%zu_%u", user, draw(teams, 3));
    else if (input.type != INPUT_STRIPE_PAYMENT_INTENT_FAILED)
        input.as.checkout = (struct input_checkout){
            .session_id = chance(teams, 90) ? teams->users[user].user.pending_session_id : SL_STR("cs_other"),
            .payment_status = chance(teams, 10) ? SL_STR("unpaid") : SL_STR("paid"),
        };
    post(teams, user, input);
}

/* An open job of the user's ends; false: there is none. */
static bool executor_acts(struct teams *teams, size_t user)
{
    static const enum input_type ENDS[] = {INPUT_JOB_SUCCEEDED, INPUT_JOB_SUCCEEDED, INPUT_JOB_SUCCEEDED,
                                           INPUT_JOB_FAILED, INPUT_JOB_CANCELLED};
    struct facts *facts = &teams->users[user];
    for (size_t i = 0; i < facts->job_count; i++) {
        struct job *job = &facts->jobs[i];
        if ((job->kind != JOB_STRIPE && job->kind != JOB_GRAPH) || !job_status_is_open(job->status))
            continue;
        job->status = JOB_RUNNING;
        struct input input = new_event(teams, ENDS[draw(teams, SL_ARRAY_LEN(ENDS))], user);
        input.as.job = (struct input_job){
            .job_id = job->id,
            .fence = job->fence,
            .error = SL_STR("boom"),
            .checkout_url = chance(teams, 5) ? SL_STR_NONE : SL_STR("https://pay"),
            .session_id = numbered(teams, "cs_", teams->events),
            .customer_id = sl_arena_printf(teams->world.arena, "cus_%zu", user),
            .effective_at_s = teams->now_ms / 1000,
            .renews_at_s = teams->now_ms / 1000,
            .catalog = SL_STR("[]"),
        };
        deliver(teams, user, &input);
        return true;
    }
    return false;
}

static void arrive(struct teams *teams)
{
    size_t index = draw(teams, (unsigned)teams->log_count);
    struct teams_event event = teams->log[index];
    teams->log[index] = teams->log[--teams->log_count];
    deliver(teams, event.user, &event.input);
}

void teams_step(struct teams *teams)
{
    teams->now_ms += chance(teams, 2) ? 24 * HOUR_MS * draw(teams, 10) : (int64_t)draw(teams, 600000);
    unsigned what = draw(teams, 100);
    if (teams->log_count && (what < 45 || teams->log_count >= TEAMS_LOG_MAX / 2))
        arrive(teams);
    else if (what < 70)
        person_acts(teams);
    else if (what < 80)
        stripe_acts(teams);
    else
        (void)executor_acts(teams, draw(teams, TEAMS_USERS));
}

void teams_settle(struct teams *teams)
{
    const struct commons *commons = &teams->world.commons;
    while (teams->log_count)
        arrive(teams);
    for (size_t user = 0; user < TEAMS_USERS; user++) {
        while (executor_acts(teams, user))
            continue;
    }
    for (size_t i = 0; i < teams->wait_count; i++)
        SL_ASSERT(teams->waits[i].answered);
    for (size_t i = 0; i < commons->member_count; i++) {
        bool has_one = false;
        for (size_t k = 0; k < commons->member_count; k++)
            has_one = has_one || (!commons->members[k]->gone &&
                                  sl_str_equal(commons->members[k]->user_id, commons->members[i]->user_id));
        SL_ASSERT(has_one);
    }
}
