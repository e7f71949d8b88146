/* jobs_fuzz.c - any sequence of reports about jobs, under any fence they ever had and by any run, between claims by an
 * executor that obeys its order.
 *
 * A user never has two provisions under way; a job's fence never goes back; a job that has ended stays as it is, unless
 * it is queued anew under a higher fence; a report under an older fence than the job's leaves nothing but its own row;
 * a claim, once granted, is that run's for as long as the attempt lasts; the same event over the same facts is the same
 * plan.
 */
#include "tests/support/digest.h"
#include "tests/support/draws.h"
#include "tests/support/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define AGENTS    3
#define JOBS_MAX  256
#define STEPS_MAX 600

/* What a job was before the event. */
struct before {
    struct sl_uuid id;
    enum job_status status;
    int64_t fence;
    struct sl_str run_id;
};

struct play {
    struct world world;
    struct draws draws;
    int64_t now_ms;
    unsigned events;
    struct before before[JOBS_MAX];
    size_t before_count;
};

static unsigned draw(struct play *play, unsigned below)
{
    return draws_below(&play->draws, below);
}

static void remember(struct play *play)
{
    const struct facts *facts = &play->world.facts;
    play->before_count = facts->job_count < JOBS_MAX ? facts->job_count : JOBS_MAX;
    for (size_t i = 0; i < play->before_count; i++) {
        const struct job *job = &facts->jobs[i];
        play->before[i] = (struct before){job->id, job->status, job->fence, job->run_id};
    }
}

static void check_job(const struct before *before, const struct job *job)
{
    SL_ASSERT(job && job->fence >= before->fence);
    bool was_open = job_status_is_open(before->status);
    SL_ASSERT(was_open || job->status == before->status || (job->status == JOB_QUEUED && job->fence > before->fence));
    bool is_same_attempt = job->fence == before->fence || !job_status_is_open(job->status);
    SL_ASSERT(sl_str_empty(before->run_id) || !is_same_attempt || sl_str_equal(before->run_id, job->run_id));
}

static void check_after(const struct play *play)
{
    const struct facts *facts = &play->world.facts;
    int under_way = 0;
    facts_check(facts);
    for (size_t i = 0; i < play->before_count; i++)
        check_job(&play->before[i], facts_job(facts, play->before[i].id));
    for (size_t i = 0; i < facts->job_count; i++)
        under_way += facts->jobs[i].kind == JOB_PROVISION &&
                     (facts->jobs[i].status == JOB_RUNNING || facts->jobs[i].status == JOB_WAITING);
    SL_ASSERT(under_way <= 1);
}

static void commit(struct play *play)
{
    for (size_t i = 0; i < play->world.facts.job_count; i++) {
        struct job *job = &play->world.facts.jobs[i];
        if (job->seq == 0)
            job->seq = ++play->world.seq;
        job->requeue = false;
    }
}

static const struct plan *deliver(struct play *play, const struct input *input)
{
    struct input *kept = sl_arena_alloc(play->world.arena, 1, sizeof(*kept));
    *kept = *input;
    remember(play);
    const struct plan *plan = world_decide(&play->world, kept);
    SL_ASSERT(digest_plan(plan) == digest_plan(world_decide(&play->world, kept)));
    facts_apply(&play->world.facts, plan, play->world.arena);
    check_after(play);
    if (draw(play, 4) > 0)
        commit(play);
    return plan;
}

static struct input new_event(struct play *play, enum input_type type)
{
    struct sl_str id = sl_arena_printf(play->world.arena, "evt_%u", play->events++);
    struct input input = world_input(type, id, play->now_ms);
    if (input_type_is_stripe(type)) {
        input.created_s = play->now_ms / 1000;
        input.user_named = SL_STR(WORLD_USER);
    }
    return input;
}

static struct job *some_job(struct play *play)
{
    struct facts *facts = &play->world.facts;
    return facts->job_count ? &facts->jobs[draw(play, (unsigned)facts->job_count)] : NULL;
}

static struct sl_str some_run(struct play *play)
{
    static const char *const RUNS[] = {"1", "2", "3", ""};
    return sl_str_of(RUNS[draw(play, SL_ARRAY_LEN(RUNS))]);
}

static void person_acts(struct play *play)
{
    static const enum input_type TYPES[] = {
        INPUT_AGENT_CREATE,  INPUT_AGENT_PROVISION, INPUT_AGENT_START, INPUT_AGENT_STOP,
        INPUT_AGENT_DESTROY, INPUT_JOB_RETRY,       INPUT_JOB_CANCEL,  INPUT_STRIPE_CHECKOUT_COMPLETED};
    static const char *const BACKENDS[] = {"github-actions", "provisioner", "hetzner"};
    struct input input = new_event(play, TYPES[draw(play, SL_ARRAY_LEN(TYPES))]);
    struct sl_uuid agent_id = world_id((char)('A' + draw(play, AGENTS)));
    const struct job *job = some_job(play);
    if (input.type == INPUT_STRIPE_CHECKOUT_COMPLETED)
        input.as.checkout = (struct input_checkout){.agent_id = agent_id, .names_user = true};
    else if (input.type != INPUT_JOB_RETRY && input.type != INPUT_JOB_CANCEL)
        input.as.agent = (struct input_agent){.agent_id = agent_id,
                                              .name = SL_STR("agent"),
                                              .backend = sl_str_of(BACKENDS[draw(play, SL_ARRAY_LEN(BACKENDS))])};
    else if (job)
        input.as.job.job_id = job->id;
    (void)deliver(play, &input);
}

/* Oldest first, one job of an agent, one provision of the user. */
static bool may_run(const struct facts *facts, const struct job *job)
{
    for (size_t i = 0; i < facts->job_count; i++) {
        const struct job *other = &facts->jobs[i];
        bool under_way = other->status == JOB_RUNNING || other->status == JOB_WAITING;
        bool same_agent = !sl_uuid_is_nil(job->agent_id) && sl_uuid_equal(other->agent_id, job->agent_id);
        if (same_agent && other != job && (under_way || (other < job && job_status_is_open(other->status))))
            return false;
        if (other != job && under_way && other->kind == JOB_PROVISION && job->kind == JOB_PROVISION)
            return false;
    }
    return job->status == JOB_QUEUED;
}

static void executor_acts(struct play *play)
{
    struct job *job = some_job(play);
    if (!job)
        return;
    if (may_run(&play->world.facts, job)) {
        commit(play);
        job->status = JOB_RUNNING;
        job->fence++;
        job->step = draw(play, 2) ? SL_STR("call") : job->step;
    } else if (job->status == JOB_RUNNING && !job->settled) {
        bool waits = job->kind == JOB_PROVISION && sl_str_is(job->backend, "github-actions") && draw(play, 3) > 0;
        job->status = waits ? JOB_WAITING : JOB_QUEUED;
        job->fence += !waits;
        job->step = SL_STR("call");
    }
}

/* Of this attempt or an older one; only a job that is settled, or waits for its run, has a report of this one. */
static void job_reports(struct play *play)
{
    static const enum input_type TYPES[] = {INPUT_JOB_SUCCEEDED, INPUT_JOB_FAILED, INPUT_JOB_CANCELLED,
                                            INPUT_JOB_DISPATCHED};
    struct job *job = some_job(play);
    if (!job)
        return;
    struct input input = new_event(play, TYPES[draw(play, SL_ARRAY_LEN(TYPES))]);
    input.as.job = (struct input_job){.job_id = job->id, .fence = job->fence - (int64_t)draw(play, 3)};
    bool is_stale = input.as.job.fence < job->fence;
    if (input.type == INPUT_JOB_FAILED)
        input.as.job.error = SL_STR("boom");
    else
        input.as.job.run_id = some_run(play);
    if (input.type == INPUT_JOB_SUCCEEDED)
        input.as.job.server_id = SL_STR("s1");
    if (!is_stale && job->status == JOB_RUNNING)
        job->settled = true;
    const struct plan *plan = deliver(play, &input);
    SL_ASSERT(!is_stale || (plan->outcome == OUTCOME_IGNORED && digest_plan_is_empty(plan)));
}

static void run_reports(struct play *play)
{
    static const enum input_type TYPES[] = {INPUT_CALLBACK_CLAIMED, INPUT_CALLBACK_HEARTBEAT, INPUT_CALLBACK_COMPLETED,
                                            INPUT_CALLBACK_FAILED, INPUT_WORKFLOW_RUN};
    static const char *const CONCLUSIONS[] = {"cancelled", "success", "failure"};
    const struct job *job = some_job(play);
    struct input input = new_event(play, TYPES[draw(play, SL_ARRAY_LEN(TYPES))]);
    struct sl_uuid job_id = job ? job->id : world_id('Z');
    if (input.type == INPUT_WORKFLOW_RUN)
        input.as.workflow_run =
            (struct input_workflow_run){.job_id = job_id,
                                        .run_id = some_run(play),
                                        .action = SL_STR("completed"),
                                        .conclusion = sl_str_of(CONCLUSIONS[draw(play, SL_ARRAY_LEN(CONCLUSIONS))])};
    else
        input.as.callback = (struct input_callback){.job_id = job_id, .run_id = some_run(play)};
    (void)deliver(play, &input);
}

/* A timer of any job at any time: the rules must not mind one that comes too late, or twice. */
static void timer_fires(struct play *play)
{
    const struct facts *facts = &play->world.facts;
    if (facts->timer_count == 0)
        return;
    const struct timer *timer = &facts->timers[draw(play, (unsigned)facts->timer_count)];
    struct sl_uuid job_id;
    if (!sl_uuid_parse(timer->subject, &job_id))
        return;
    struct sl_str type = sl_arena_printf(play->world.arena, "timer.%" SL_STR_FMT, SL_STR_ARG(timer->kind));
    struct input input = new_event(play, input_type_of(type));
    input.as.timer = (struct input_timer){
        .timer_id = timer->id, .subject = timer->subject, .job_id = job_id, .due_at_ms = timer->due_at_ms};
    (void)deliver(play, &input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const ACTS[])(struct play *) = {person_acts, executor_acts, executor_acts, job_reports,
                                                  job_reports, run_reports,   run_reports,   timer_fires};
    static struct play play;
    play = (struct play){.draws = draws_of_bytes(data, size), .now_ms = 1000000};
    world_init(&play.world);
    (void)world_subscription(&play.world, SL_STR("sub_1"), SL_STR("active"));
    for (int step = 0; step < STEPS_MAX && play.draws.bytes_left > 0; step++) {
        play.now_ms += 1000;
        ACTS[draw(&play, SL_ARRAY_LEN(ACTS))](&play);
        if (play.world.facts.job_count > JOBS_MAX - 8)
            break;
    }
    world_deinit(&play.world);
    return 0;
}
