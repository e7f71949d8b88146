/* brute_test.c - the rulebook over every combination of a small world: it answers each, the same way twice, by
 * legal moves only.
 *
 * The world: an agent in any state, of any backend, with or without a server or app, a subscription's instance or
 * not; a job of any kind, status and stage; what else may be open; a subscription, paid for or not; a policy. The
 * events: every type, about the job and agent there or about others, young and stale.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/digest.h"
#include "tests/support/world.h"

enum stage { STAGE_FRESH, STAGE_CALLED, STAGE_CLAIMED, STAGE_SETTLED, STAGE_CANCELLING, STAGE_RETRIED, STAGE_COUNT };
enum other { OTHER_NONE, OTHER_PROVISION, OTHER_ROLLBACK, OTHER_STOP, OTHER_DESTROY, OTHER_ELSEWHERE, OTHER_COUNT };
enum gate { GATE_NONE, GATE_LIVE, GATE_PAST_DUE, GATE_ENDED, GATE_COUNT };
enum variant { VARIANT_PLAIN, VARIANT_STALE, VARIANT_STRANGE, VARIANT_COUNT };
enum owned { OWNED_NOT, OWNED_INSTANCE, OWNED_STOPPED, OWNED_COUNT };

#define BACKENDS_COUNT 3

/* Those of the second line go round beside the others: each meets each of them in some neighbour. */
struct scenario {
    int agent_status, has_server, kind, status, stage, other, type, variant;
    int gate, policy, backend, owned, invoice_rank;
};

static struct scenario current;
static long decided;
static long by_outcome[OUTCOME_COUNT];

/* An assertion of the rules ends the process; this says in which scenario. */
static void on_abort(int number)
{
    (void)number;
    const int *values = (const int *)&current;
    char text[] = "scenario (agent server kind status stage other type variant, gate policy backend owned rank): ";
    ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);
    for (size_t i = 0; i < sizeof(current) / sizeof(int); i++) {
        char digits[] = {(char)('0' + values[i] / 10), (char)('0' + values[i] % 10), ' '};
        written += write(STDERR_FILENO, digits, sizeof(digits));
    }
    (void)written;
}

static void stage_job(struct job *job, int stage)
{
    if (stage == STAGE_CALLED || stage == STAGE_CLAIMED || stage == STAGE_SETTLED)
        job->step = SL_STR("dispatch");
    if (stage == STAGE_CLAIMED)
        job->run_id = SL_STR("7");
    job->settled = stage == STAGE_SETTLED;
    job->cancel_requested = stage == STAGE_CANCELLING;
    job->generation = stage == STAGE_RETRIED;
}

static const char *const BACKENDS[BACKENDS_COUNT] = {"github-actions", "provisioner", "hetzner"};

static bool is_provisioners(const struct scenario *s)
{
    return s->backend == 1;
}

static void add_other(struct world *world, const struct scenario *s)
{
    static const enum job_kind KINDS[OTHER_COUNT] = {
        [OTHER_PROVISION] = JOB_PROVISION,
        [OTHER_ROLLBACK] = JOB_ROLLBACK,
        [OTHER_STOP] = JOB_STOP,
        [OTHER_DESTROY] = JOB_DESTROY,
    };
    int other = s->other;
    if (other == OTHER_ELSEWHERE) {
        (void)world_agent(world, 'B', AGENT_PROVISIONING);
        (void)world_job(world, 'K', JOB_PROVISION, JOB_QUEUED, 'B');
    } else if (other != OTHER_NONE) {
        struct job *job = world_job(world, 'K', KINDS[other], JOB_QUEUED, 'A');
        job->backend = sl_str_of(BACKENDS[s->backend]);
        if (is_provisioners(s) && (other == OTHER_ROLLBACK || other == OTHER_DESTROY))
            job->kind = JOB_DEPROVISION;
    }
}

static void add_gate(struct world *world, const struct scenario *s)
{
    int gate = s->gate;
    world->facts.user.invoice_rank = s->invoice_rank;
    if (gate == GATE_NONE)
        return;
    struct subscription *row = world_subscription(world, SL_STR("sub_1"), SL_STR("active"));
    row->invoice_rank = s->invoice_rank;
    if (gate == GATE_PAST_DUE)
        row->status = SL_STR("past_due");
    if (gate == GATE_ENDED) {
        row->status = SL_STR("canceled");
        row->object_rank = 3;
    }
}

static void add_agent(struct world *world, const struct scenario *s)
{
    if (s->agent_status == AGENT_NONE)
        return;
    struct agent *agent = world_agent(world, 'A', (enum agent_status)s->agent_status);
    agent->backend = sl_str_of(BACKENDS[s->backend]);
    if (s->has_server && is_provisioners(s))
        agent->app_name = SL_STR("app-1");
    else if (s->has_server)
        agent->server_id = SL_STR("s1");
    if (s->owned != OWNED_NOT)
        agent->subscription_id = SL_STR("sub_1");
    if (s->owned == OWNED_STOPPED)
        agent->stopped_by = SL_STR("sub_1");
}

static void add_job(struct world *world, const struct scenario *s)
{
    struct job *job = world_job(world, 'J', (enum job_kind)s->kind, (enum job_status)s->status, 'A');
    job->backend = sl_str_of(BACKENDS[s->backend]);
    if (s->kind >= JOB_EMAIL)
        job->agent_id = (struct sl_uuid){.bytes = {0}};
    if (s->policy & 1)
        job->rule = SL_STR("job.failed.provision");
    stage_job(job, s->stage);
}

static void build(struct world *world, const struct scenario *s)
{
    world_reset(world);
    world->policy.free_tier = s->policy & 1;
    world->policy.checkout_provisions = !(s->policy & 2);
    world->policy.on_payment_failed = s->policy & 2 ? ON_PAYMENT_FAILED_KEEP : ON_PAYMENT_FAILED_STOP;
    world->policy.resume_on_payment = s->policy & 1;
    add_gate(world, s);
    add_agent(world, s);
    (void)world_agent(world, 'Z', AGENT_ACTIVE);
    world->facts.agents[world->facts.agent_count - 1].user_id = SL_STR(WORLD_OTHER);
    if (s->other == OTHER_ROLLBACK)
        add_other(world, s);
    add_job(world, s);
    if (s->other != OTHER_ROLLBACK)
        add_other(world, s);
    (void)world_timer(world, "heartbeat_missed", 'J', 500);
    (void)world_timer(world, "provision_timeout", 'J', 500);
    (void)world_timer_of(world, "grace_ending", SL_STR("sub_1"), 500);
    (void)world_timer_of(world, "grace_expired", SL_STR("sub_1"), 500);
}

static struct input event_of(struct world *world, const struct scenario *s)
{
    static const struct sl_str EVENT_ID = {.ptr = "evt", .len = 3};
    struct input input = world_input((enum input_type)s->type, EVENT_ID, 1000);
    char letter = s->variant == VARIANT_STRANGE ? 'X' : 'J';
    struct sl_str run = s->variant == VARIANT_STALE ? SL_STR("8") : SL_STR("7");
    bool is_stripe = input_type_is_stripe(input.type);
    if (is_stripe) {
        input.created_s = s->variant == VARIANT_STALE ? 50 : 200;
        input.customer_id = SL_STR("cus_1");
        input.user_named = SL_STR(WORLD_USER);
    }
    input.email = SL_STR("a@example.com");
    if (s->type >= INPUT_STRIPE_SUBSCRIPTION_CREATED && s->type <= INPUT_STRIPE_SUBSCRIPTION_DELETED) {
        input.as.subscription.id = s->variant == VARIANT_STRANGE ? SL_STR("sub_9") : SL_STR("sub_1");
        input.as.subscription.status = SL_STR("active");
    } else if (s->type == INPUT_STRIPE_INVOICE_PAID || s->type == INPUT_STRIPE_INVOICE_PAYMENT_FAILED) {
        input.as.invoice.subscription_id = s->variant == VARIANT_STRANGE ? SL_STR_NONE : SL_STR("sub_1");
    } else if (s->type == INPUT_STRIPE_CHECKOUT_COMPLETED || s->type == INPUT_STRIPE_CHECKOUT_ASYNC_SUCCEEDED) {
        input.as.checkout.agent_id = world_id(s->variant == VARIANT_STRANGE ? 'Z' : 'A');
        input.as.checkout.names_user = true;
    } else if (s->type >= INPUT_AGENT_CREATE && s->type <= INPUT_AGENT_REPAIR) {
        input.as.agent.agent_id = world_id(s->variant == VARIANT_STRANGE ? 'Z' : 'A');
    } else if (s->type >= INPUT_CALLBACK_CLAIMED && s->type <= INPUT_CALLBACK_FAILED) {
        input.as.callback =
            (struct input_callback){.job_id = world_id(letter), .run_id = run, .server_id = SL_STR("s9")};
    } else if (s->type == INPUT_WORKFLOW_RUN) {
        input.as.workflow_run = (struct input_workflow_run){
            .job_id = world_id(letter), .run_id = run, .action = SL_STR("completed"), .conclusion = SL_STR("failure")};
    } else if (input_type_is_timer(input.type)) {
        const struct timer *timer = &world->facts.timers[s->type - INPUT_TIMER_HEARTBEAT_MISSED];
        input.as.timer = (struct input_timer){.timer_id = timer->id,
                                              .subject = timer->subject,
                                              .job_id = world_id(letter),
                                              .due_at_ms = s->variant == VARIANT_STALE ? 400 : 500};
    } else if (s->type == INPUT_JOB_RETRY || s->type == INPUT_JOB_CANCEL ||
               (s->type >= INPUT_JOB_DISPATCHED && s->type <= INPUT_JOB_CANCELLED)) {
        input.as.job = (struct input_job){.job_id = world_id(letter), .fence = s->variant == VARIANT_STALE ? 0 : 1};
    }
    return input;
}

/* What a backend removes by; and nobody is written to twice. */
static void check_new_jobs(const struct world *world, const struct plan *plan)
{
    int emails = 0;
    for (size_t i = 0; i < plan->job_count; i++) {
        const struct job *job = &plan->jobs[i];
        bool removes = job->kind == JOB_DESTROY || job->kind == JOB_ROLLBACK || job->kind == JOB_DEPROVISION;
        if (facts_job(&world->facts, job->id))
            continue;
        emails += job->kind == JOB_EMAIL;
        if (removes)
            assert_int_equal(job->kind == JOB_DEPROVISION, sl_str_is(job->backend, "provisioner"));
        if (job->kind == JOB_UPDATE_LIMITS)
            assert_true(sl_str_is(job->backend, "provisioner"));
    }
    assert_true(emails <= 1);
}

/* While an agent is removed by one deprovision there is no second. */
static void check_deprovisions(const struct world *world)
{
    int open = 0;
    for (size_t i = 0; i < world->facts.job_count; i++) {
        const struct job *job = &world->facts.jobs[i];
        open += job->kind == JOB_DEPROVISION && !job->exists;
    }
    assert_true(open <= 1);
}

static void check_versions(const struct world *world, const struct plan *plan)
{
    check_new_jobs(world, plan);
    for (size_t i = 0; i < plan->agent_count; i++) {
        const struct agent *after = &plan->agents[i];
        const struct agent *before = facts_agent(&world->facts, after->id);
        assert_true(sl_str_is(after->user_id, WORLD_USER));
        /* Who runs was stopped by nobody. */
        if (after->status == AGENT_ACTIVE && (!before || before->status != AGENT_ACTIVE))
            assert_true(sl_str_empty(after->stopped_by));
    }
    for (size_t i = 0; i < plan->job_count; i++) {
        const struct job *after = &plan->jobs[i];
        const struct job *before = facts_job(&world->facts, after->id);
        assert_true(sl_str_is(after->user_id, WORLD_USER));
        if (!before) {
            assert_int_equal(after->status, JOB_QUEUED);
            continue;
        }
        bool moved = before->status != after->status;
        /* A claim may be part of a plan that ends the job. */
        bool may_move =
            job_status_may_move(before->status, after->status) ||
            (job_status_may_move(before->status, JOB_WAITING) && job_status_may_move(JOB_WAITING, after->status));
        assert_true(!moved || may_move);
        assert_true(after->fence >= before->fence + (moved ? 1 : 0));
        assert_int_equal(after->ended_at_ms != 0, !job_status_is_open(after->status) && moved);
    }
}

static void check_verdict(const struct input *input, const struct plan *plan)
{
    bool learns = plan->user_changed || !sl_str_empty(plan->link_customer_id);
    bool changes_rows = plan->subscription_count || plan->agent_count || plan->job_count || plan->timer_count ||
                        plan->dead_letter_cause;
    assert_int_equal(plan->outcome == OUTCOME_REJECTED, plan->error != ERROR_NONE);
    assert_false(sl_str_empty(plan->message));
    if (plan->outcome == OUTCOME_REJECTED && input_type_is_command(input->type))
        assert_true(digest_plan_is_empty(plan));
    if (plan->outcome != OUTCOME_APPLIED)
        assert_false(changes_rows);
    if (plan->outcome != OUTCOME_APPLIED && !learns)
        assert_true(digest_plan_is_empty(plan));
}

static void check(struct world *world, const struct scenario *scenario)
{
    current = *scenario;
    build(world, scenario);
    facts_check(&world->facts);
    struct input input = event_of(world, scenario);
    const struct plan *plan = world_decide(world, &input);
    const struct plan *again = world_decide(world, &input);
    assert_true(plan->outcome == OUTCOME_APPLIED || plan->outcome == OUTCOME_REJECTED ||
                plan->outcome == OUTCOME_IGNORED);
    assert_int_equal(digest_plan(plan), digest_plan(again));
    check_verdict(&input, plan);
    check_versions(world, plan);
    facts_apply(&world->facts, plan, world->arena);
    facts_check(&world->facts);
    check_deprovisions(world);
    decided++;
    by_outcome[plan->outcome]++;
}

/* Commands about workspaces look at no job: they need not meet each. */
static bool is_about_agents(int type)
{
    return (type < INPUT_CHECKOUT_START || type > INPUT_PURGE_STALE_RUNS) && type != INPUT_MEMBER_REMOVED;
}

static void check_events(struct world *world, struct scenario scenario)
{
    for (scenario.type = 0; scenario.type < INPUT_TYPE_COUNT; scenario.type++) {
        bool is_bare = scenario.stage == STAGE_FRESH && scenario.other == OTHER_NONE;
        if (!is_bare && !is_about_agents(scenario.type))
            continue;
        for (scenario.variant = 0; scenario.variant < VARIANT_COUNT; scenario.variant++) {
            /* Each event meets each gate and policy in some neighbour of the scenario, not in every one. */
            scenario.gate = (scenario.gate + 1) % GATE_COUNT;
            scenario.policy = (scenario.policy + (scenario.gate == 0)) % 4;
            check(world, &scenario);
        }
    }
}

static void go_round(struct scenario *scenario)
{
    static int round;
    round++;
    scenario->gate = round % GATE_COUNT;
    scenario->backend = round % BACKENDS_COUNT;
    scenario->owned = round / BACKENDS_COUNT % OWNED_COUNT;
    scenario->invoice_rank = round / 5 % 3;
}

static void check_jobs(struct world *world, struct scenario scenario)
{
    for (scenario.kind = JOB_PROVISION; scenario.kind < JOB_KIND_COUNT; scenario.kind++) {
        for (scenario.status = JOB_QUEUED; scenario.status < JOB_STATUS_COUNT; scenario.status++) {
            /* How far a job came matters to its agent: of one without an agent one stage is enough. */
            int stages = scenario.kind < JOB_EMAIL ? STAGE_COUNT : STAGE_CALLED;
            for (scenario.stage = 0; scenario.stage < stages; scenario.stage++) {
                for (scenario.other = 0; scenario.other < OTHER_COUNT; scenario.other++) {
                    go_round(&scenario);
                    check_events(world, scenario);
                }
            }
        }
    }
}

static void test_every_combination(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    (void)signal(SIGABRT, on_abort);
    struct scenario scenario = {.agent_status = 0};
    for (scenario.agent_status = 0; scenario.agent_status < AGENT_STATUS_COUNT; scenario.agent_status++) {
        for (scenario.has_server = 0; scenario.has_server < 2; scenario.has_server++)
            check_jobs(&world, scenario);
    }
    world_deinit(&world);
    print_message("%ld decisions: %ld applied, %ld rejected, %ld ignored\n", decided, by_outcome[OUTCOME_APPLIED],
                  by_outcome[OUTCOME_REJECTED], by_outcome[OUTCOME_IGNORED]);
    assert_true(by_outcome[OUTCOME_APPLIED] > decided / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_combination)};
    return cmocka_run_group_tests_name("brute", tests, NULL, NULL);
}
