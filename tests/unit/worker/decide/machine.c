/* machine.c - see machine.h. Agents are 'A' to 'D', and what subscriptions bring. */
#include "tests/unit/worker/decide/machine.h"

#include "worker/decide/grace.h"
#include "worker/decide/instance.h"

static unsigned draw(struct machine *machine, unsigned below)
{
    machine->random ^= machine->random << 13;
    machine->random ^= machine->random >> 7;
    machine->random ^= machine->random << 17;
    return (unsigned)((machine->random >> 11) % below);
}

static bool chance(struct machine *machine, unsigned percent)
{
    return draw(machine, 100) < percent;
}

static struct place *place_of(struct machine *machine, struct sl_uuid agent_id)
{
    for (size_t i = 0; i < machine->place_count; i++) {
        if (sl_uuid_equal(machine->places[i].agent_id, agent_id))
            return &machine->places[i];
    }
    SL_ASSERT(machine->place_count < MACHINE_PLACES);
    struct place *place = &machine->places[machine->place_count++];
    *place = (struct place){.agent_id = agent_id};
    return place;
}

void machine_init(struct machine *machine, uint64_t seed)
{
    *machine = (struct machine){.random = seed * 2654435761U + 88172645463325252U, .now_ms = 1000000};
    world_init(&machine->world);
    machine->world.policy.free_tier = chance(machine, 20);
    machine->world.policy.resume_on_payment = chance(machine, 50);
    machine->world.policy.on_payment_failed = chance(machine, 80) ? ON_PAYMENT_FAILED_STOP : ON_PAYMENT_FAILED_KEEP;
    machine->world.policy.on_subscription_deleted =
        chance(machine, 80) ? ON_SUBSCRIPTION_DELETED_DESTROY : ON_SUBSCRIPTION_DELETED_KEEP;
    machine->world.policy.grace_ms = chance(machine, 90) ? 60000 : 0;
    machine->world.facts.user.email = chance(machine, 70) ? SL_STR("a@example.com") : SL_STR_NONE;
    if (chance(machine, 60))
        (void)world_subscription(&machine->world, SL_STR("sub_1"), SL_STR("active"));
}

void machine_deinit(struct machine *machine)
{
    world_deinit(&machine->world);
}

static struct input new_event(struct machine *machine, enum input_type type)
{
    struct sl_str id = sl_arena_printf(machine->world.arena, "evt_%u", machine->events++);
    struct input input = world_input(type, id, machine->now_ms);
    if (input_type_is_stripe(type)) {
        input.created_s = machine->now_ms / 1000 - draw(machine, 30);
        input.user_named = SL_STR(WORLD_USER);
    }
    return input;
}

static void post(struct machine *machine, struct input input)
{
    if (machine->log_count < MACHINE_LOG_MAX)
        machine->log[machine->log_count++] = input;
}

/* Nothing is stuck: what an agent waits for is open, and what is settled waits for nothing. */
static bool has_open(const struct facts *facts, struct sl_uuid agent_id, enum job_kind kind)
{
    for (size_t i = 0; i < facts->job_count; i++) {
        const struct job *job = &facts->jobs[i];
        if (sl_uuid_equal(job->agent_id, agent_id) && job_status_is_open(job->status) &&
            (kind == JOB_KIND_NONE || job->kind == kind))
            return true;
    }
    return false;
}

static int count_open(const struct facts *facts, struct sl_uuid agent_id, enum job_kind kind)
{
    int count = 0;
    for (size_t i = 0; i < facts->job_count; i++) {
        const struct job *job = &facts->jobs[i];
        count += sl_uuid_equal(job->agent_id, agent_id) && job_status_is_open(job->status) && job->kind == kind;
    }
    return count;
}

/* A subscription has one instance, and who runs was stopped by nobody. */
static void check_instance(const struct facts *facts, const struct agent *agent)
{
    bool may_be_marked = agent->status == AGENT_STOPPING || agent->status == AGENT_PAUSED ||
                         agent->status == AGENT_FAILED || agent->status == AGENT_DESTROYING ||
                         agent->status == AGENT_DESTROYED;
    SL_ASSERT(may_be_marked || sl_str_empty(agent->stopped_by));
    SL_ASSERT(count_open(facts, agent->id, JOB_DEPROVISION) <= 1);
    for (size_t i = 0; i < facts->agent_count && !sl_str_empty(agent->subscription_id); i++) {
        const struct agent *other = &facts->agents[i];
        SL_ASSERT(other == agent || !sl_str_equal(other->subscription_id, agent->subscription_id));
    }
    if (agent->status == AGENT_DESTROYED)
        SL_ASSERT(sl_str_empty(agent->app_name) && sl_str_empty(agent->frontend_url));
}

static void check_agent(struct machine *machine, const struct agent *agent)
{
    static const enum job_kind AWAITED[AGENT_STATUS_COUNT] = {
        [AGENT_PROVISIONING] = JOB_PROVISION,
        [AGENT_STOPPING] = JOB_STOP,
        [AGENT_STARTING] = JOB_START,
        [AGENT_DESTROYING] = JOB_DESTROY,
    };
    const struct facts *facts = &machine->world.facts;
    enum job_kind awaited = AWAITED[agent->status];
    if (awaited == JOB_DESTROY && instance_is_provisioners(agent))
        awaited = JOB_DEPROVISION;
    check_instance(facts, agent);
    if (awaited != JOB_KIND_NONE)
        SL_ASSERT(has_open(facts, agent->id, awaited));
    for (int kind = JOB_PROVISION; kind < JOB_KIND_COUNT; kind++) {
        bool is_quiet = agent->status == AGENT_DRAFT || agent->status == AGENT_DESTROYED;
        bool is_calm = agent->status == AGENT_ACTIVE || agent->status == AGENT_PAUSED;
        if (is_quiet || (is_calm && kind != JOB_UPDATE_LIMITS))
            SL_ASSERT(!has_open(facts, agent->id, (enum job_kind)kind));
    }
    if (agent->status == AGENT_FAILED && has_open(facts, agent->id, JOB_PROVISION))
        SL_ASSERT(has_open(facts, agent->id, JOB_ROLLBACK) || has_open(facts, agent->id, JOB_DEPROVISION));
    /* No cloud resource without an owner. */
    if (agent->status == AGENT_DRAFT || agent->status == AGENT_DESTROYED)
        SL_ASSERT(!place_of(machine, agent->id)->is_taken && sl_str_empty(agent->server_id));
}

/* Where a payment failed, the end of the grace period is set or was; armed, it is of such a subject. */
static void check_grace(const struct facts *facts)
{
    for (size_t i = 0; i <= facts->subscription_count; i++) {
        bool is_users = i == facts->subscription_count;
        struct sl_str subject = is_users ? facts->user.id : facts->subscriptions[i].id;
        const struct timer *end = facts_timer(facts, timer_id_of("grace_expired", subject));
        bool is_armed = end && !end->decided && !end->cancelled;
        if (grace_is_unpaid(facts, subject))
            SL_ASSERT(end && !end->cancelled);
        else
            SL_ASSERT(!is_armed);
    }
}

static bool is_graces(const struct timer *timer)
{
    return sl_str_starts_with(timer->kind, SL_STR("grace_"));
}

static void check_timers(const struct facts *facts)
{
    check_grace(facts);
    for (size_t i = 0; i < facts->timer_count; i++) {
        const struct timer *timer = &facts->timers[i];
        struct sl_uuid job_id;
        if (is_graces(timer))
            continue;
        SL_ASSERT(sl_uuid_parse(timer->subject, &job_id));
        const struct job *job = facts_job(facts, job_id);
        SL_ASSERT(timer->decided || timer->cancelled || (job && job->status == JOB_WAITING));
    }
}

/* Postgres gives a seq to what was made in the batch, and the batch ends. */
static void commit(struct machine *machine)
{
    for (size_t i = 0; i < machine->world.facts.job_count; i++) {
        struct job *job = &machine->world.facts.jobs[i];
        if (job->seq == 0)
            job->seq = ++machine->world.seq;
        job->requeue = false;
    }
}

static enum outcome deliver(struct machine *machine, const struct input *input)
{
    struct facts *facts = &machine->world.facts;
    struct input *kept = sl_arena_alloc(machine->world.arena, 1, sizeof(*kept));
    *kept = *input;
    const struct plan *plan = world_decide(&machine->world, kept);
    facts_apply(facts, plan, machine->world.arena);
    if (chance(machine, 70))
        commit(machine);
    facts_check(facts);
    for (size_t i = 0; i < facts->agent_count; i++)
        check_agent(machine, &facts->agents[i]);
    check_timers(facts);
    machine->history[machine->history_count++ % MACHINE_HISTORY] = *input;
    return plan->outcome;
}

static struct sl_uuid some_agent(struct machine *machine)
{
    const struct facts *facts = &machine->world.facts;
    if (facts->agent_count && chance(machine, 20))
        return facts->agents[draw(machine, (unsigned)facts->agent_count)].id;
    return world_id((char)('A' + draw(machine, MACHINE_AGENTS)));
}

static const struct job *some_job(struct machine *machine)
{
    const struct facts *facts = &machine->world.facts;
    return facts->job_count ? &facts->jobs[draw(machine, (unsigned)facts->job_count)] : NULL;
}

static void person_acts(struct machine *machine)
{
    static const char *const BACKENDS[] = {"github-actions", "github-actions", "provisioner", "hetzner"};
    static const enum input_type TYPES[] = {INPUT_AGENT_CREATE, INPUT_AGENT_PROVISION, INPUT_AGENT_PROVISION,
                                            INPUT_AGENT_START,  INPUT_AGENT_STOP,      INPUT_AGENT_DESTROY,
                                            INPUT_JOB_RETRY,    INPUT_JOB_CANCEL};
    struct input input = new_event(machine, TYPES[draw(machine, SL_ARRAY_LEN(TYPES))]);
    const struct job *job = some_job(machine);
    if (input.type != INPUT_JOB_RETRY && input.type != INPUT_JOB_CANCEL)
        input.as.agent = (struct input_agent){.agent_id = some_agent(machine),
                                              .name = SL_STR("agent"),
                                              .backend = sl_str_of(BACKENDS[draw(machine, SL_ARRAY_LEN(BACKENDS))])};
    else if (job)
        input.as.job.job_id = job->id;
    post(machine, input);
}

static void stripe_acts(struct machine *machine)
{
    static const enum input_type TYPES[] = {INPUT_STRIPE_SUBSCRIPTION_CREATED, INPUT_STRIPE_SUBSCRIPTION_UPDATED,
                                            INPUT_STRIPE_SUBSCRIPTION_UPDATED, INPUT_STRIPE_SUBSCRIPTION_DELETED,
                                            INPUT_STRIPE_INVOICE_PAID,         INPUT_STRIPE_INVOICE_PAYMENT_FAILED,
                                            INPUT_STRIPE_INVOICE_PAID,         INPUT_STRIPE_CHECKOUT_COMPLETED,
                                            INPUT_STRIPE_CHECKOUT_COMPLETED,   INPUT_STRIPE_CHECKOUT_COMPLETED};
    static const char *const STATUSES[] = {"active", "active", "active", "trialing", "past_due", "unpaid"};
    static const char *const PRICES[] = {"price_starter",    "price_starter",   "price_professional",
                                         "price_enterprise", "price_workspace", "price_unheard_of"};
    struct input input = new_event(machine, TYPES[draw(machine, SL_ARRAY_LEN(TYPES))]);
    struct sl_str id = sl_arena_printf(machine->world.arena, "sub_%u", draw(machine, MACHINE_SUBSCRIPTIONS));
    if (input.type == INPUT_STRIPE_CHECKOUT_COMPLETED) {
        input.as.checkout.agent_id = some_agent(machine);
        input.as.checkout.names_user = true;
    } else if (input.type == INPUT_STRIPE_INVOICE_PAID || input.type == INPUT_STRIPE_INVOICE_PAYMENT_FAILED) {
        input.as.invoice.subscription_id = chance(machine, 90) ? id : SL_STR_NONE;
    } else {
        input.as.subscription.id = id;
        input.as.subscription.status = sl_str_of(STATUSES[draw(machine, SL_ARRAY_LEN(STATUSES))]);
        input.as.subscription.price_id = sl_str_of(PRICES[draw(machine, SL_ARRAY_LEN(PRICES))]);
    }
    post(machine, input);
}

/* The executor's rules: oldest first, one job of an agent, one provision of the user, nothing that is settled. */
static bool may_run(const struct facts *facts, size_t index)
{
    const struct job *job = &facts->jobs[index];
    if (job->status != JOB_QUEUED)
        return false;
    for (size_t i = 0; i < facts->job_count; i++) {
        const struct job *other = &facts->jobs[i];
        bool under_way = other->status == JOB_RUNNING || other->status == JOB_WAITING;
        bool same_agent = !sl_uuid_is_nil(job->agent_id) && sl_uuid_equal(other->agent_id, job->agent_id);
        if (i != index && same_agent && (under_way || (i < index && job_status_is_open(other->status))))
            return false;
        if (i != index && under_way && other->kind == JOB_PROVISION && job->kind == JOB_PROVISION)
            return false;
    }
    return true;
}

static void remove_remains(struct machine *machine, struct sl_uuid agent_id)
{
    for (size_t i = 0; i < machine->run_count; i++) {
        if (sl_uuid_equal(machine->runs[i].agent_id, agent_id))
            machine->runs[i].works = false;
    }
    place_of(machine, agent_id)->is_taken = false;
}

static void settle_job(struct machine *machine, struct job *job, enum input_type type)
{
    bool removes = job->kind == JOB_DESTROY || job->kind == JOB_ROLLBACK || job->kind == JOB_DEPROVISION;
    bool provisions = job->kind == JOB_PROVISION && type == INPUT_JOB_SUCCEEDED;
    job->settled = true;
    if (removes && type == INPUT_JOB_SUCCEEDED)
        remove_remains(machine, job->agent_id);
    struct input input = new_event(machine, type);
    input.as.job = (struct input_job){.job_id = job->id, .fence = job->fence};
    if (provisions && sl_str_is(job->backend, "provisioner")) {
        input.as.job.app_name = SL_STR("app-1");
        input.as.job.frontend_url = SL_STR("https://app-1.example.com");
    } else if (provisions) {
        input.as.job.server_id = SL_STR("s1");
    }
    if (type == INPUT_JOB_FAILED)
        input.as.job.error = SL_STR("boom");
    SL_ASSERT(machine->log_count < MACHINE_LOG_MAX);
    machine->log[machine->log_count++] = input;
}

static void dispatch(struct machine *machine, struct job *job, bool is_answered)
{
    if (machine->run_count == MACHINE_RUNS_MAX)
        return;
    struct dispatched_run *run = &machine->runs[machine->run_count++];
    *run = (struct dispatched_run){.id = sl_arena_printf(machine->world.arena, "%zu", machine->run_count),
                                   .job_id = job->id,
                                   .agent_id = job->agent_id,
                                   .works = true};
    if (!is_answered)
        return;
    job->status = JOB_WAITING;
    struct input input = new_event(machine, INPUT_JOB_DISPATCHED);
    input.as.job = (struct input_job){.job_id = job->id, .fence = job->fence};
    if (chance(machine, 50))
        input.as.job.run_id = run->id;
    SL_ASSERT(machine->log_count < MACHINE_LOG_MAX);
    machine->log[machine->log_count++] = input;
}

/* A provision without a workflow: the executor makes the server, or the app. */
static bool makes_itself(const struct job *job)
{
    return job->kind == JOB_PROVISION && !sl_str_is(job->backend, "github-actions");
}

static void run_job(struct machine *machine, struct job *job, unsigned failure_percent)
{
    if (job->cancel_requested) {
        settle_job(machine, job, INPUT_JOB_CANCELLED);
    } else if (chance(machine, 10)) {
        job->status = JOB_QUEUED; /* the lease was lost, or a step is tried again */
        job->fence++;
    } else if (sl_str_empty(job->step)) {
        job->step = SL_STR("call");
        if (makes_itself(job) && chance(machine, 50))
            place_of(machine, job->agent_id)->is_taken = true; /* whatever becomes of the answer */
    } else if (chance(machine, failure_percent)) {
        settle_job(machine, job, INPUT_JOB_FAILED);
    } else if (makes_itself(job)) {
        place_of(machine, job->agent_id)->is_taken = true;
        settle_job(machine, job, INPUT_JOB_SUCCEEDED);
    } else if (job->kind == JOB_PROVISION) {
        dispatch(machine, job, chance(machine, 80));
    } else {
        settle_job(machine, job, INPUT_JOB_SUCCEEDED);
    }
}

static void executor_acts(struct machine *machine, unsigned failure_percent)
{
    struct facts *facts = &machine->world.facts;
    if (facts->job_count == 0 || machine->log_count > MACHINE_LOG_MAX - 4)
        return;
    size_t start = draw(machine, (unsigned)facts->job_count);
    for (size_t i = 0; i < facts->job_count; i++) {
        size_t index = (start + i) % facts->job_count;
        struct job *job = &facts->jobs[index];
        if (may_run(facts, index)) {
            commit(machine);
            job->status = JOB_RUNNING;
            job->fence++;
            job->deadline_at_ms = 0;
            return;
        }
        if (job->status == JOB_RUNNING && !job->settled && chance(machine, 60)) {
            run_job(machine, job, failure_percent);
            return;
        }
    }
}

static void report(struct machine *machine, struct dispatched_run *run, enum input_type type)
{
    struct input input = new_event(machine, type);
    input.as.callback = (struct input_callback){.job_id = run->job_id, .run_id = run->id};
    if (type == INPUT_CALLBACK_COMPLETED)
        input.as.callback.server_id = SL_STR("s1");
    /* A run waits for its answer: a refusal is the order to stop. */
    bool is_granted = deliver(machine, &input) == OUTCOME_APPLIED;
    run->claimed = is_granted;
    run->works = is_granted && type != INPUT_CALLBACK_COMPLETED && type != INPUT_CALLBACK_FAILED;
}

static void run_acts(struct machine *machine, unsigned failure_percent)
{
    if (machine->run_count == 0)
        return;
    struct dispatched_run *run = &machine->runs[draw(machine, (unsigned)machine->run_count)];
    if (!run->works)
        return;
    if (!run->claimed) {
        report(machine, run, INPUT_CALLBACK_CLAIMED);
    } else if (!place_of(machine, run->agent_id)->is_taken) {
        place_of(machine, run->agent_id)->is_taken = true;
    } else if (chance(machine, failure_percent)) {
        report(machine, run, chance(machine, 50) ? INPUT_CALLBACK_FAILED : INPUT_CALLBACK_HEARTBEAT);
    } else if (chance(machine, failure_percent)) {
        run->works = false;
        struct input input = new_event(machine, INPUT_WORKFLOW_RUN);
        input.as.workflow_run = (struct input_workflow_run){
            .job_id = run->job_id, .run_id = run->id, .action = SL_STR("completed"), .conclusion = SL_STR("cancelled")};
        post(machine, input);
    } else {
        report(machine, run, INPUT_CALLBACK_COMPLETED);
    }
}

/* The sweep publishes it once, and its event may wait behind others. */
static bool is_published(const struct machine *machine, const struct timer *timer)
{
    for (size_t i = 0; i < machine->log_count; i++) {
        const struct input *input = &machine->log[i];
        if (input_type_is_timer(input->type) && sl_uuid_equal(input->as.timer.timer_id, timer->id) &&
            input->as.timer.due_at_ms == timer->due_at_ms)
            return true;
    }
    return false;
}

static void timer_fires(struct machine *machine)
{
    struct facts *facts = &machine->world.facts;
    if (facts->timer_count == 0)
        return;
    struct timer *timer = &facts->timers[draw(machine, (unsigned)facts->timer_count)];
    if (timer->decided || timer->cancelled || machine->log_count == MACHINE_LOG_MAX || is_published(machine, timer))
        return;
    struct sl_str type = sl_arena_printf(machine->world.arena, "timer.%" SL_STR_FMT, SL_STR_ARG(timer->kind));
    struct input input = new_event(machine, input_type_of(type));
    input.as.timer =
        (struct input_timer){.timer_id = timer->id, .subject = timer->subject, .due_at_ms = timer->due_at_ms};
    SL_ASSERT(is_graces(timer) || sl_uuid_parse(timer->subject, &input.as.timer.job_id));
    post(machine, input);
}

/* Mostly the oldest; sometimes a younger one first, or an old one again. */
static void event_arrives(struct machine *machine)
{
    if (machine->history_count && chance(machine, 15)) {
        size_t kept = machine->history_count < MACHINE_HISTORY ? machine->history_count : MACHINE_HISTORY;
        struct input again = machine->history[draw(machine, (unsigned)kept)];
        /* One event id decides once; but what it says may be said again under another. */
        again.event_id = sl_arena_printf(machine->world.arena, "evt_%u", machine->events++);
        (void)deliver(machine, &again);
        return;
    }
    if (machine->log_count == 0)
        return;
    size_t index = chance(machine, 80) ? 0 : draw(machine, (unsigned)machine->log_count);
    struct input input = machine->log[index];
    for (size_t i = index + 1; i < machine->log_count; i++)
        machine->log[i - 1] = machine->log[i];
    machine->log_count--;
    (void)deliver(machine, &input);
}

void machine_step(struct machine *machine)
{
    machine->now_ms += draw(machine, 3000);
    unsigned what = draw(machine, 100);
    if (what < 12)
        person_acts(machine);
    else if (what < 20)
        stripe_acts(machine);
    else if (what < 45)
        executor_acts(machine, 20);
    else if (what < 60)
        run_acts(machine, 25);
    else if (what < 63)
        timer_fires(machine);
    else
        event_arrives(machine);
}

static bool is_busy(const struct facts *facts)
{
    for (size_t i = 0; i < facts->job_count; i++) {
        if (job_status_is_open(facts->jobs[i].status))
            return true;
    }
    return false;
}

void machine_settle(struct machine *machine)
{
    const struct facts *facts = &machine->world.facts;
    machine->history_count = 0;
    for (int i = 0; i < 20000 && (is_busy(facts) || machine->log_count); i++) {
        machine->now_ms += 1000;
        executor_acts(machine, 0);
        run_acts(machine, 0);
        event_arrives(machine);
        machine->history_count = 0;
        if (i % 50 == 0)
            timer_fires(machine);
    }
    SL_ASSERT(!is_busy(facts));
    for (size_t i = 0; i < facts->agent_count; i++) {
        enum agent_status status = facts->agents[i].status;
        SL_ASSERT(status == AGENT_DRAFT || status == AGENT_ACTIVE || status == AGENT_PAUSED ||
                  status == AGENT_DESTROYED || status == AGENT_FAILED);
    }
}
