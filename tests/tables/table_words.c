/* table_words.c - reading the words of the tables. A list of words is "word word key=value flag"; unknown keys are
 * mistakes. */
#include "tests/tables/table_words.h"

#include <string.h>

#include "tests/tables/table_parse.h"

struct sl_str next_word(struct sl_str *rest)
{
    *rest = sl_str_trim(*rest);
    return sl_str_cut(rest, ' ');
}

char next_letter(struct sl_str *rest)
{
    struct sl_str word = next_word(rest);
    return word.len == 1 ? word.ptr[0] : '-';
}

static bool set_member(struct named_member *member, struct sl_str value)
{
    int64_t number = 0;
    if (member->text) {
        *member->text = value;
        return true;
    }
    if (member->flag) {
        *member->flag = true;
        return sl_str_empty(value);
    }
    if (!sl_str_to_int64(value, &number))
        return false;
    if (member->number)
        *member->number = number;
    else
        *member->small = (int)number;
    return true;
}

/* key=value and flags up to the end; text values are borrowed from the line. */
bool set_members(struct sl_str rest, struct named_member *members, size_t member_count, struct sl_str *ret_problem)
{
    for (struct sl_str word = next_word(&rest); !sl_str_empty(word); word = next_word(&rest)) {
        struct sl_str value = word;
        struct sl_str key = sl_str_cut(&value, '=');
        bool is_set = false;
        for (size_t i = 0; i < member_count && !is_set; i++)
            is_set = sl_str_is(key, members[i].key) && set_member(&members[i], value);
        if (!is_set) {
            *ret_problem = word;
            return false;
        }
    }
    return true;
}

static bool read_subscription(struct world *world, struct sl_str rest, struct sl_str *ret_problem)
{
    struct sl_str id = next_word(&rest);
    struct subscription *row = world_subscription(world, id, next_word(&rest));
    struct named_member members[] = {
        {.key = "at", .number = &row->object_created_s},
        {.key = "rank", .small = &row->object_rank},
        {.key = "price", .text = &row->price_id},
        {.key = "of", .text = &row->user_id},
        {.key = "max", .small = &row->max_agents},
        {.key = "invoice_at", .number = &row->invoice_created_s},
        {.key = "invoice_rank", .small = &row->invoice_rank},
        {.key = "start", .number = &row->current_period_start_s},
        {.key = "end", .number = &row->current_period_end_s},
        {.key = "cancels", .flag = &row->cancel_at_period_end},
    };
    if (!set_members(rest, members, SL_ARRAY_LEN(members), ret_problem))
        return false;
    const struct offer *offer = policy_offer_of_price(&world->policy, row->price_id);
    row->tier = offer->name;
    row->max_messages_per_day = offer->max_messages_per_day;
    if (row->max_agents == 3)
        row->max_agents = offer->max_agents;
    return true;
}

static bool read_agent(struct world *world, struct sl_str rest, struct sl_str *ret_problem)
{
    char letter = next_letter(&rest);
    enum agent_status status = agent_status_parse(next_word(&rest));
    struct agent *row = world_agent(world, letter, status);
    struct sl_str limits = SL_STR_NONE; /* of which plan */
    struct named_member members[] = {
        {.key = "server", .text = &row->server_id},
        {.key = "device", .text = &row->tailscale_device_id},
        {.key = "backend", .text = &row->backend},
        {.key = "of", .text = &row->user_id},
        {.key = "region", .text = &row->region},
        {.key = "reason", .text = &row->status_reason},
        {.key = "app", .text = &row->app_name},
        {.key = "sub", .text = &row->subscription_id},
        {.key = "mb", .small = &row->memory_limit_mb},
        {.key = "stopped_by", .text = &row->stopped_by},
        {.key = "limits", .text = &limits},
    };
    if (status != AGENT_NONE && !set_members(rest, members, SL_ARRAY_LEN(members), ret_problem))
        return false;
    const struct offer *offer = policy_offer(&world->policy, limits);
    if (offer) {
        row->memory_limit_mb = offer->memory_mb;
        row->cpu_limit = offer->cpu;
    }
    *ret_problem = SL_STR("an agent's status");
    return status != AGENT_NONE;
}

static bool read_job(struct world *world, struct sl_str rest, struct sl_str *ret_problem)
{
    char letter = next_letter(&rest);
    enum job_kind kind = job_kind_parse(next_word(&rest));
    enum job_status status = job_status_parse(next_word(&rest));
    char agent = next_letter(&rest);
    struct job *row = world_job(world, letter, kind, status, agent);
    if (agent == '-')
        row->agent_id = (struct sl_uuid){.bytes = {0}};
    struct named_member members[] = {
        {.key = "fence", .number = &row->fence},   {.key = "step", .text = &row->step},
        {.key = "run", .text = &row->run_id},      {.key = "dispatched", .text = &row->dispatched_run_id},
        {.key = "gen", .small = &row->generation}, {.key = "rule", .text = &row->rule},
        {.key = "backend", .text = &row->backend}, {.key = "of", .text = &row->user_id},
        {.key = "settled", .flag = &row->settled}, {.key = "cancelling", .flag = &row->cancel_requested},
        {.key = "args", .text = &row->args},       {.key = "answers", .text = &row->answer_type},
    };
    *ret_problem = SL_STR("a job's kind or status");
    return kind != JOB_KIND_NONE && status != JOB_STATUS_NONE &&
           set_members(rest, members, SL_ARRAY_LEN(members), ret_problem);
}

static bool read_timer(struct world *world, struct sl_str rest, struct sl_str *ret_problem)
{
    const char *kind = sl_arena_cstr(world->arena, next_word(&rest));
    struct sl_str subject = next_word(&rest);
    struct timer *row =
        subject.len == 1 ? world_timer(world, kind, subject.ptr[0], 500) : world_timer_of(world, kind, subject, 500);
    struct named_member members[] = {
        {.key = "due", .number = &row->due_at_ms},
        {.key = "decided", .flag = &row->decided},
        {.key = "cancelled", .flag = &row->cancelled},
    };
    return set_members(rest, members, SL_ARRAY_LEN(members), ret_problem);
}

static bool read_user(struct world *world, struct sl_str rest, struct sl_str *ret_problem)
{
    struct user *user = &world->facts.user;
    struct named_member members[] = {
        {.key = "plan", .text = &user->plan},
        {.key = "customer", .text = &user->stripe_customer_id},
        {.key = "email", .text = &user->email},
        {.key = "email_at", .number = &user->email_created_s},
        {.key = "invoice_at", .number = &user->invoice_created_s},
        {.key = "invoice_rank", .small = &user->invoice_rank},
    };
    return set_members(rest, members, SL_ARRAY_LEN(members), ret_problem);
}

static bool read_policy(struct world *world, struct sl_str rest, struct sl_str *ret_problem)
{
    bool no_app = false, unpriced = false, checkouts_off = false, keep_unpaid = false, keep_deleted = false;
    struct named_member members[] = {
        {.key = "free_tier", .flag = &world->policy.free_tier},
        {.key = "resume", .flag = &world->policy.resume_on_payment},
        {.key = "grace", .number = &world->policy.grace_ms},
        {.key = "free_agents", .small = &world->policy.free_offer.max_agents},
        {.key = "admin", .text = &world->policy.admin_email},
        {.key = "no_app", .flag = &no_app},
        {.key = "unpriced", .flag = &unpriced},
        {.key = "checkouts_off", .flag = &checkouts_off},
        {.key = "keep_unpaid", .flag = &keep_unpaid},
        {.key = "keep_deleted", .flag = &keep_deleted},
    };
    if (!set_members(rest, members, SL_ARRAY_LEN(members), ret_problem))
        return false;
    for (size_t i = 0; unpriced && i < SL_ARRAY_LEN(world->offers); i++)
        world->offers[i].price_id = SL_STR_NONE;
    if (no_app)
        world->policy.app_url = SL_STR_NONE;
    if (checkouts_off)
        world->policy.checkout_provisions = false;
    if (keep_unpaid)
        world->policy.on_payment_failed = ON_PAYMENT_FAILED_KEEP;
    if (keep_deleted)
        world->policy.on_subscription_deleted = ON_SUBSCRIPTION_DELETED_KEEP;
    return true;
}

/* A subscription that opens the gate, in a word. */
static bool read_live(struct world *world, struct sl_str rest, struct sl_str *ret_problem)
{
    (void)world_subscription(world, SL_STR("sub_1"), SL_STR("active"));
    world->facts.user.plan = SL_STR("starter");
    return set_members(rest, NULL, 0, ret_problem);
}

static bool read_nobody(struct world *world, struct sl_str rest, struct sl_str *ret_problem)
{
    world->facts.user = (struct user){.id = SL_STR_NONE};
    return set_members(rest, NULL, 0, ret_problem);
}

static const struct {
    const char *word;
    bool (*read)(struct world *world, struct sl_str rest, struct sl_str *ret_problem);
} FACT_WORDS[] = {
    {"sub", read_subscription}, {"agent", read_agent},   {"job", read_job},   {"timer", read_timer},
    {"user", read_user},        {"policy", read_policy}, {"live", read_live}, {"nobody", read_nobody},
};

bool table_facts(struct world *world, struct sl_str text, struct sl_str *ret_problem)
{
    while (!sl_str_empty(text)) {
        struct sl_str item = sl_str_trim(sl_str_cut(&text, ';'));
        struct sl_str rest = item;
        struct sl_str word = next_word(&rest);
        bool is_known = sl_str_empty(word) || sl_str_is(word, "-");
        for (size_t i = 0; i < SL_ARRAY_LEN(FACT_WORDS) && !is_known; i++) {
            if (!sl_str_is(word, FACT_WORDS[i].word))
                continue;
            is_known = true;
            if (!FACT_WORDS[i].read(world, rest, ret_problem))
                return false;
        }
        const struct fact_word *other = is_known ? NULL : table_workspace_fact(word);
        if (other && !other->read(world, rest, ret_problem))
            return false;
        if (!is_known && !other) {
            *ret_problem = word;
            return false;
        }
    }
    return true;
}

void add_member(struct event_words *words, struct named_member member)
{
    SL_ASSERT(words->member_count < SL_ARRAY_LEN(words->members));
    words->members[words->member_count++] = member;
}

void add_text(struct event_words *words, const char *key, struct sl_str *text)
{
    add_member(words, (struct named_member){.key = key, .text = text});
}

struct sl_str named(const struct event_words *words)
{
    return sl_str_is(words->first, "-") ? SL_STR_NONE : words->first;
}

static void subscription_words(struct event_words *words)
{
    struct input_subscription *object = &words->input->as.subscription;
    object->id = named(words);
    add_text(words, "status", &object->status);
    add_text(words, "price", &object->price_id);
    add_member(words, (struct named_member){.key = "canceled_at", .number = &object->canceled_at_s});
}

static void invoice_words(struct event_words *words)
{
    words->input->as.invoice.id = SL_STR("in_1");
    words->input->as.invoice.subscription_id = named(words);
    add_text(words, "url", &words->input->as.invoice.hosted_url);
}

static void checkout_words(struct event_words *words)
{
    struct input_checkout *checkout = &words->input->as.checkout;
    *checkout = (struct input_checkout){.agent_id = words->id, .payment_status = SL_STR("paid"), .names_user = true};
    table_workspace_event(words);
    add_text(words, "payment", &checkout->payment_status);
    add_text(words, "region", &checkout->region);
    add_member(words, (struct named_member){.key = "malformed", .flag = &checkout->agent_id_malformed});
}

static void agent_words(struct event_words *words)
{
    struct input_agent *command = &words->input->as.agent;
    *command = (struct input_agent){.agent_id = words->id};
    add_text(words, "name", &command->name);
    add_text(words, "region", &command->region);
    add_text(words, "backend", &command->backend);
    add_text(words, "found", &command->found);
    add_text(words, "server", &command->server_id);
    add_text(words, "device", &command->tailscale_device_id);
    add_text(words, "app", &command->app_name);
}

static void callback_words(struct event_words *words)
{
    struct input_callback *callback = &words->input->as.callback;
    *callback = (struct input_callback){.job_id = words->id, .run_id = SL_STR("7")};
    add_text(words, "run", &callback->run_id);
    add_text(words, "server", &callback->server_id);
    add_text(words, "device", &callback->tailscale_device_id);
    add_text(words, "error", &callback->error);
}

static void run_words(struct event_words *words)
{
    struct input_workflow_run *run = &words->input->as.workflow_run;
    *run = (struct input_workflow_run){
        .job_id = words->id, .run_id = SL_STR("7"), .action = SL_STR("completed"), .conclusion = SL_STR("failure")};
    add_text(words, "run", &run->run_id);
    add_text(words, "action", &run->action);
    add_text(words, "conclusion", &run->conclusion);
}

static void job_words(struct event_words *words)
{
    struct input_job *job = &words->input->as.job;
    *job = (struct input_job){.job_id = words->id, .fence = 1};
    table_workspace_event(words);
    add_text(words, "error", &job->error);
    add_text(words, "run", &job->run_id);
    add_text(words, "server", &job->server_id);
    add_text(words, "app", &job->app_name);
    add_text(words, "url", &job->frontend_url);
    add_member(words, (struct named_member){.key = "fence", .number = &job->fence});
}

static void timer_words(struct event_words *words)
{
    char text[SL_UUID_TEXT_BYTES];
    sl_uuid_format(words->id, text);
    struct input_timer *timer = &words->input->as.timer;
    *timer = (struct input_timer){
        .subject = sl_arena_str(words->world->arena, sl_str_of(text)), .job_id = words->id, .due_at_ms = 500};
    timer->timer_id = timer_id_of(input_type_name(words->input->type) + strlen("timer."), timer->subject);
    add_member(words, (struct named_member){.key = "due", .number = &timer->due_at_ms});
}

/* Of a grace period: the subject stands for itself. */
static void grace_words(struct event_words *words)
{
    timer_words(words);
    struct input_timer *timer = &words->input->as.timer;
    timer->subject = words->first;
    timer->job_id = (struct sl_uuid){.bytes = {0}};
    timer->timer_id = timer_id_of(input_type_name(words->input->type) + strlen("timer."), timer->subject);
}

/* By the type's family; NULL: the event has no first word of its own. */
static void (*const EVENT_WORDS[INPUT_TYPE_COUNT])(struct event_words *words) = {
    [INPUT_STRIPE_SUBSCRIPTION_CREATED] = subscription_words,
    [INPUT_STRIPE_SUBSCRIPTION_UPDATED] = subscription_words,
    [INPUT_STRIPE_SUBSCRIPTION_DELETED] = subscription_words,
    [INPUT_STRIPE_INVOICE_PAID] = invoice_words,
    [INPUT_STRIPE_INVOICE_PAYMENT_FAILED] = invoice_words,
    [INPUT_STRIPE_CHECKOUT_COMPLETED] = checkout_words,
    [INPUT_STRIPE_CHECKOUT_ASYNC_SUCCEEDED] = checkout_words,
    [INPUT_AGENT_CREATE] = agent_words,
    [INPUT_AGENT_PROVISION] = agent_words,
    [INPUT_AGENT_START] = agent_words,
    [INPUT_AGENT_STOP] = agent_words,
    [INPUT_AGENT_DESTROY] = agent_words,
    [INPUT_AGENT_REPAIR] = agent_words,
    [INPUT_JOB_RETRY] = job_words,
    [INPUT_JOB_CANCEL] = job_words,
    [INPUT_CALLBACK_CLAIMED] = callback_words,
    [INPUT_CALLBACK_HEARTBEAT] = callback_words,
    [INPUT_CALLBACK_COMPLETED] = callback_words,
    [INPUT_CALLBACK_FAILED] = callback_words,
    [INPUT_WORKFLOW_RUN] = run_words,
    [INPUT_JOB_DISPATCHED] = job_words,
    [INPUT_JOB_SUCCEEDED] = job_words,
    [INPUT_JOB_FAILED] = job_words,
    [INPUT_JOB_CANCELLED] = job_words,
    [INPUT_TIMER_HEARTBEAT_MISSED] = timer_words,
    [INPUT_TIMER_PROVISION_TIMEOUT] = timer_words,
    [INPUT_TIMER_GRACE_ENDING] = grace_words,
    [INPUT_TIMER_GRACE_EXPIRED] = grace_words,
    [INPUT_STRIPE_CHECKOUT_ASYNC_FAILED] = checkout_words,
    [INPUT_STRIPE_CHECKOUT_EXPIRED] = checkout_words,
    [INPUT_STRIPE_PAYMENT_INTENT_FAILED] = table_workspace_event,
    [INPUT_CHECKOUT_START] = table_workspace_event,
    [INPUT_WORKSPACE_PLAN_CHANGE] = table_workspace_event,
    [INPUT_WORKSPACE_INVITE] = table_workspace_event,
    [INPUT_INVITE_ACCEPT] = table_workspace_event,
    [INPUT_WORKSPACE_LEAVE] = table_workspace_event,
    [INPUT_WORKSPACE_REVOKE] = table_workspace_event,
    [INPUT_CONNECTION_SHARE] = table_workspace_event,
    [INPUT_CONNECTION_UNSHARE] = table_workspace_event,
    [INPUT_RUN_START] = table_workspace_event,
    [INPUT_RUN_FINISH] = table_workspace_event,
    [INPUT_USAGE_RECORD] = table_workspace_event,
    [INPUT_EARLY_ACCESS_JOIN] = table_workspace_event,
    [INPUT_PURGE_STALE_RUNS] = table_workspace_event,
    [INPUT_MEMBER_REMOVED] = table_workspace_event,
};

bool table_event(struct world *world, struct sl_str text, struct input *ret_input, struct sl_str *ret_problem)
{
    struct sl_str type = next_word(&text);
    *ret_input = world_input(input_type_of(type), SL_STR("evt_1"), 1000);
    ret_input->ce_type = type;
    if (sl_str_empty(world->facts.user.id))
        ret_input->user_id = ret_input->user_named = SL_STR_NONE;
    if (input_type_is_stripe(ret_input->type))
        ret_input->created_s = 200;

    struct event_words words = {.world = world, .input = ret_input};
    struct sl_str workflows = SL_STR_NONE;
    bool metadata_without_user = false;
    if (EVENT_WORDS[ret_input->type]) {
        words.first = next_word(&text);
        if (words.first.len == 1 && words.first.ptr[0] != '-')
            words.id = world_id(words.first.ptr[0]);
        EVENT_WORDS[ret_input->type](&words);
    }
    add_text(&words, "customer", &ret_input->customer_id);
    add_text(&words, "customer_of", &ret_input->customer_user_id);
    add_text(&words, "names", &ret_input->user_named);
    add_text(&words, "email", &ret_input->email);
    add_text(&words, "actor", &ret_input->actor);
    add_text(&words, "workflows", &workflows);
    add_member(&words, (struct named_member){.key = "now", .number = &ret_input->received_at_ms});
    add_member(&words, (struct named_member){.key = "at", .number = &ret_input->created_s});
    add_member(&words, (struct named_member){.key = "without_user", .flag = &metadata_without_user});
    if (!set_members(text, words.members, words.member_count, ret_problem))
        return false;
    if (metadata_without_user)
        ret_input->as.checkout.names_user = false;
    if (!sl_str_empty(workflows))
        ret_input->as.billing.shared_workflow_ids =
            table_list(world, workflows, &ret_input->as.billing.shared_workflow_count);
    return true;
}
