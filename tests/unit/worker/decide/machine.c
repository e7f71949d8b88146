/* machine.c - see machine.h. Agents are 'A' to 'D'. */
#include "tests/unit/worker/decide/machine.h"

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

static size_t index_of(struct sl_uuid agent_id)
{
    char letter = world_letter(agent_id);
    SL_ASSERT(letter >= 'A' && letter < 'A' + MACHINE_AGENTS);
    return (size_t)(letter - 'A');
}

void machine_init(struct machine *machine, uint64_t seed)
{
    *machine = (struct machine){.random = seed * 2654435761U + 88172645463325252U, .now_ms = 1000000};
    world_init(&machine->world);
    machine->world.policy.free_tier = chance(machine, 20);
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

static void check_agent(const struct machine *machine, const struct agent *agent)
{
    static const enum job_kind AWAITED[AGENT_STATUS_COUNT] = {
        [AGENT_PROVISIONING] = JOB_PROVISION,
        [AGENT_STOPPING] = JOB_STOP,
        [AGENT_STARTING] = JOB_START,
        [AGENT_DESTROYING] = JOB_DESTROY,
    };
    const struct facts *facts = &machine->world.facts;
    enum job_kind awaited = AWAITED[agent->status];
    if (awaited != JOB_KIND_NONE)
        SL_ASSERT(has_open(facts, agent->id, awaited));
    if (agent->status == AGENT_DRAFT || agent->status == AGENT_ACTIVE || agent->status == AGENT_PAUSED ||
        agent->status == AGENT_DESTROYED)
        SL_ASSERT(!has_open(facts, agent->id, JOB_KIND_NONE));
    if (agent->status == AGENT_FAILED && has_open(facts, agent->id, JOB_PROVISION))
        SL_ASSERT(has_open(facts, agent->id, JOB_ROLLBACK));
    /* No cloud resource without an owner. */
    if (agent->status == AGENT_DRAFT || agent->status == AGENT_DESTROYED)
        SL_ASSERT(!machine->has_server[index_of(agent->id)] && sl_str_empty(agent->server_id));
}

static void check_timers(const struct facts *facts)
{
    for (size_t i = 0; i < facts->timer_count; i++) {
        const struct timer *timer = &facts->timers[i];
        struct sl_uuid job_id;
        SL_ASSERT(sl_uuid_parse(timer->subject, &job_id));
        const struct job *job = facts_job(facts, job_id);
        SL_ASSERT(timer->fired || timer->cancelled || (job && job->status == JOB_WAITING));
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
    return world_id((char)('A' + draw(machine, MACHINE_AGENTS)));
}

static const struct job *some_job(struct machine *machine)
{
    const struct facts *facts = &machine->world.facts;
    return facts->job_count ? &facts->jobs[draw(machine, (unsigned)facts->job_count)] : NULL;
}

static void person_acts(struct machine *machine)
{
    static const enum input_type TYPES[] = {INPUT_AGENT_CREATE, INPUT_AGENT_PROVISION, INPUT_AGENT_PROVISION,
                                            INPUT_AGENT_START,  INPUT_AGENT_STOP,      INPUT_AGENT_DESTROY,
                                            INPUT_JOB_RETRY,    INPUT_JOB_CANCEL};
    struct input input = new_event(machine, TYPES[draw(machine, SL_ARRAY_LEN(TYPES))]);
    const struct job *job = some_job(machine);
    if (input.type != INPUT_JOB_RETRY && input.type != INPUT_JOB_CANCEL)
        input.as.agent = (struct input_agent){.agent_id = some_agent(machine), .name = SL_STR("agent")};
    else if (job)
        input.as.job.job_id = job->id;
    post(machine, input);
}

static void stripe_acts(struct machine *machine)
{
    static const enum input_type TYPES[] = {
        INPUT_STRIPE_SUBSCRIPTION_CREATED, INPUT_STRIPE_SUBSCRIPTION_UPDATED, INPUT_STRIPE_SUBSCRIPTION_UPDATED,
        INPUT_STRIPE_SUBSCRIPTION_DELETED, INPUT_STRIPE_INVOICE_PAID,         INPUT_STRIPE_INVOICE_PAYMENT_FAILED,
        INPUT_STRIPE_CHECKOUT_COMPLETED,   INPUT_STRIPE_CHECKOUT_COMPLETED,   INPUT_STRIPE_CHECKOUT_COMPLETED};
    static const char *const STATUSES[] = {"active", "active", "trialing", "past_due"};
    struct input input = new_event(machine, TYPES[draw(machine, SL_ARRAY_LEN(TYPES))]);
    struct sl_str id = sl_arena_printf(machine->world.arena, "sub_%u", draw(machine, 6));
    if (input.type == INPUT_STRIPE_CHECKOUT_COMPLETED) {
        input.as.checkout.agent_id = some_agent(machine);
        input.as.checkout.names_user = true;
    } else if (input.type == INPUT_STRIPE_INVOICE_PAID || input.type == INPUT_STRIPE_INVOICE_PAYMENT_FAILED) {
        input.as.invoice.subscription_id = id;
    } else {
        input.as.subscription.id = id;
        input.as.subscription.status = sl_str_of(STATUSES[draw(machine, SL_ARRAY_LEN(STATUSES))]);
        input.as.subscription.price_id = SL_STR("price_starter");
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
        bool same_agent = sl_uuid_equal(other->agent_id, job->agent_id);
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
    machine->has_server[index_of(agent_id)] = false;
}

static void settle_job(struct machine *machine, struct job *job, enum input_type type)
{
    bool removes = job->kind == JOB_DESTROY || job->kind == JOB_ROLLBACK;
    job->settled = true;
    if (removes && type == INPUT_JOB_SUCCEEDED)
        remove_remains(machine, job->agent_id);
    struct input input = new_event(machine, type);
    input.as.job = (struct input_job){.job_id = job->id, .fence = job->fence};
    if (type == INPUT_JOB_FAILED)
        input.as.job.error = SL_STR("boom");
    SL_ASSERT(machine->log_count < MACHINE_LOG_MAX);
    machine->log[machine->log_count++] = input;
}

static void dispatch(struct machine *machine, struct job *job, bool is_answered)
{
    if (machine->run_count == MACHINE_RUNS_MAX)
        return;
    struct run *run = &machine->runs[machine->run_count++];
    *run = (struct run){.id = sl_arena_printf(machine->world.arena, "%zu", machine->run_count),
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

static void run_job(struct machine *machine, struct job *job, unsigned failure_percent)
{
    if (job->cancel_requested) {
        settle_job(machine, job, INPUT_JOB_CANCELLED);
    } else if (chance(machine, 10)) {
        job->status = JOB_QUEUED; /* the lease was lost, or a step is tried again */
        job->fence++;
    } else if (sl_str_empty(job->step)) {
        job->step = SL_STR("call");
    } else if (chance(machine, failure_percent)) {
        settle_job(machine, job, INPUT_JOB_FAILED);
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

static void report(struct machine *machine, struct run *run, enum input_type type)
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
    struct run *run = &machine->runs[draw(machine, (unsigned)machine->run_count)];
    if (!run->works)
        return;
    if (!run->claimed) {
        report(machine, run, INPUT_CALLBACK_CLAIMED);
    } else if (!machine->has_server[index_of(run->agent_id)]) {
        machine->has_server[index_of(run->agent_id)] = true;
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

static void timer_fires(struct machine *machine)
{
    struct facts *facts = &machine->world.facts;
    if (facts->timer_count == 0)
        return;
    struct timer *timer = &facts->timers[draw(machine, (unsigned)facts->timer_count)];
    if (timer->fired || timer->cancelled || machine->log_count == MACHINE_LOG_MAX)
        return;
    bool is_heartbeat = sl_str_is(timer->kind, "heartbeat_missed");
    struct input input =
        new_event(machine, is_heartbeat ? INPUT_TIMER_HEARTBEAT_MISSED : INPUT_TIMER_PROVISION_TIMEOUT);
    input.as.timer =
        (struct input_timer){.timer_id = timer->id, .subject = timer->subject, .due_at_ms = timer->due_at_ms};
    SL_ASSERT(sl_uuid_parse(timer->subject, &input.as.timer.job_id));
    timer->fired = true;
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
    else if (what < 62)
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
