/* Whose an event is: the user it names, else its customer's, its subscription's, its job's. */
#include "tests/unit/cmocka_all.h"
#include "worker/apply/resolve.h"

#define JOB_ID                                                                                                         \
    {                                                                                                                  \
        .bytes = { 7 }                                                                                                 \
    }

struct scene {
    struct sl_arena *arena;
    struct attempt attempt;
};

static struct policy policy;
static struct shell shell = {.policy = &policy};

static void own(struct owners *owners, struct sl_arena *arena, struct sl_str key, const char *user)
{
    owners_init(owners, arena, 1);
    owners_add(owners, key);
    owners_seal(owners);
    owners->rows[0].user_id = sl_str_of(user);
}

static struct scene scene_create(void)
{
    static const struct sl_uuid job = JOB_ID;
    struct scene scene = {.arena = sl_arena_create(65536), .attempt.shell = &shell};
    own(&scene.attempt.customers, scene.arena, SL_STR("cus"), "of-customer");
    own(&scene.attempt.subscriptions, scene.arena, SL_STR("sub"), "of-subscription");
    own(&scene.attempt.jobs, scene.arena, owners_key(&job), "of-job");
    return scene;
}

static void the_order_holds(void **state)
{
    struct scene scene = scene_create();
    struct input input = {.type = INPUT_STRIPE_INVOICE_PAID,
                          .user_named = SL_STR("named"),
                          .customer_id = SL_STR("cus"),
                          .as.invoice.subscription_id = SL_STR("sub")};
    (void)state;
    assert_str_is(resolve_user(&scene.attempt, &input), "named");
    input.user_named = SL_STR_NONE;
    assert_str_is(resolve_user(&scene.attempt, &input), "of-customer");
    input.customer_id = SL_STR("cus_unknown");
    assert_str_is(resolve_user(&scene.attempt, &input), "of-subscription");
    input.as.invoice.subscription_id = SL_STR("sub_unknown");
    assert_str_is(resolve_user(&scene.attempt, &input), "");
    sl_arena_destroy(scene.arena);
}

static void callbacks_timers_and_runs_belong_to_their_job(void **state)
{
    struct scene scene = scene_create();
    const struct input inputs[] = {
        {.type = INPUT_CALLBACK_CLAIMED, .as.callback.job_id = JOB_ID},
        {.type = INPUT_WORKFLOW_RUN, .as.workflow_run.job_id = JOB_ID},
        {.type = INPUT_JOB_FAILED, .as.job.job_id = JOB_ID},
        {.type = INPUT_TIMER_HEARTBEAT_MISSED, .as.timer.job_id = JOB_ID},
    };
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(inputs); i++)
        assert_str_is(resolve_user(&scene.attempt, &inputs[i]), "of-job");
    const struct input nobodys = {.type = INPUT_WORKFLOW_RUN};
    assert_str_is(resolve_user(&scene.attempt, &nobodys), "");
    sl_arena_destroy(scene.arena);
}

static void an_unknown_customer_is_nobody_or_a_user_of_its_own(void **state)
{
    struct scene scene = scene_create();
    const struct input unknown = {.type = INPUT_STRIPE_CUSTOMER, .customer_id = SL_STR("cus_unknown")};
    const struct input known = {.type = INPUT_STRIPE_CUSTOMER, .customer_id = SL_STR("cus")};
    const struct input by_subscription = {.type = INPUT_STRIPE_INVOICE_PAID,
                                          .customer_id = SL_STR("cus_unknown"),
                                          .as.invoice.subscription_id = SL_STR("sub")};
    const struct input command = {.type = INPUT_EARLY_ACCESS_JOIN};
    (void)state;
    assert_str_is(resolve_user(&scene.attempt, &unknown), "");
    assert_false(resolve_is_made_of_customer(&scene.attempt, &unknown));
    policy.unknown_customer_create = true;
    assert_str_is(resolve_user(&scene.attempt, &unknown), "cus_unknown");
    assert_true(resolve_is_made_of_customer(&scene.attempt, &unknown));
    assert_str_is(resolve_user(&scene.attempt, &known), "of-customer");
    assert_str_is(resolve_user(&scene.attempt, &by_subscription), "of-subscription");
    assert_str_is(resolve_user(&scene.attempt, &command), "");
    policy.unknown_customer_create = false;
    sl_arena_destroy(scene.arena);
}

/* The subscription first: of its id, which points nowhere here, an instance's is made. */
static bool names_nothing(const struct input *input)
{
    return sl_str_empty(resolve_subscription_id(input)) && sl_uuid_is_nil(resolve_agent_id(input)) &&
           sl_uuid_is_nil(resolve_job_id(input)) && sl_uuid_is_nil(resolve_timer_id(input)) &&
           sl_uuid_is_nil(resolve_workspace_id(input)) && sl_str_empty(resolve_run_id(input)) &&
           sl_str_empty(resolve_token_sha256(input)) && sl_str_empty(resolve_early_access(input));
}

/* A type whose ids were forgotten would be decided over facts that lack what it is about. */
static void every_type_names_what_its_input_holds(void **state)
{
    static const bool OF_NOTHING[INPUT_TYPE_COUNT] = {
        [INPUT_UNKNOWN] = true,
        [INPUT_STRIPE_PAYMENT_INTENT_FAILED] = true, /* of the user and what he shares alone */
        [INPUT_STRIPE_CUSTOMER] = true,
        [INPUT_CHECKOUT_START] = true,
        [INPUT_WORKSPACE_PLAN_CHANGE] = true,
        [INPUT_SUBSCRIPTION_RESUME] = true,
        [INPUT_USAGE_RECORD] = true,
        [INPUT_PURGE_STALE_RUNS] = true,
    };
    (void)state;
    for (int type = INPUT_UNKNOWN; type < INPUT_TYPE_COUNT; type++) {
        struct input input = {.type = (enum input_type)type};
        memset(&input.as, 0x41, sizeof(input.as));
        if (names_nothing(&input) != OF_NOTHING[type])
            fail_msg("%s", input_type_name((enum input_type)type));
        assert_int_equal(!sl_uuid_is_nil(resolve_timer_id(&input)), input_type_is_timer((enum input_type)type));
    }
}

/* Whose rules look at workspaces names one where its input has one, or the commons would lack it. */
static void every_type_of_a_workspace_reads_workspaces(void **state)
{
    (void)state;
    for (int type = INPUT_UNKNOWN; type < INPUT_TYPE_COUNT; type++) {
        struct input input = {.type = (enum input_type)type};
        memset(&input.as, 0x41, sizeof(input.as));
        if (!sl_uuid_is_nil(resolve_workspace_id(&input)) && type != INPUT_EARLY_ACCESS_JOIN)
            assert_true(resolve_reads(&input) & READS_WORKSPACES);
        assert_int_equal(!sl_str_empty(resolve_early_access(&input)), !!(resolve_reads(&input) & READS_EARLY_ACCESS));
    }
}

static void a_customer_is_the_events_or_one_that_its_job_made(void **state)
{
    const struct input paid = {.type = INPUT_STRIPE_INVOICE_PAID, .customer_id = SL_STR("cus")};
    const struct input done = {.type = INPUT_JOB_SUCCEEDED, .as.job.customer_id = SL_STR("cus_new")};
    const struct input failed = {.type = INPUT_JOB_FAILED, .as.job.customer_id = SL_STR("cus_new")};
    (void)state;
    assert_str_is(resolve_customer_id(&paid), "cus");
    assert_str_is(resolve_customer_id(&done), "cus_new");
    assert_str_is(resolve_customer_id(&failed), "");
}

static void the_end_of_a_job_reads_workspaces_only_when_it_brings_something_for_them(void **state)
{
    static const struct {
        struct input_job job;
        unsigned reads;
    } ROWS[] = {
        {{.server_id = {"42", 2}, .customer_id = {"cus", 3}}, 0},
        {{.catalog = {"[]", 2}}, READS_WORKSPACES},
        {{.session_id = {"cs", 2}}, READS_WORKSPACES},
        {{.effective_at_s = 1}, READS_WORKSPACES},
        {{.renews_at_s = 1}, READS_WORKSPACES},
    };
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        const struct input input = {.type = INPUT_JOB_SUCCEEDED, .as.job = ROWS[i].job};
        assert_int_equal(resolve_reads(&input), ROWS[i].reads);
    }
    const struct input failed = {.type = INPUT_JOB_FAILED};
    assert_int_equal(resolve_reads(&failed), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_holds),
        cmocka_unit_test(callbacks_timers_and_runs_belong_to_their_job),
        cmocka_unit_test(an_unknown_customer_is_nobody_or_a_user_of_its_own),
        cmocka_unit_test(a_customer_is_the_events_or_one_that_its_job_made),
        cmocka_unit_test(every_type_names_what_its_input_holds),
        cmocka_unit_test(every_type_of_a_workspace_reads_workspaces),
        cmocka_unit_test(the_end_of_a_job_reads_workspaces_only_when_it_brings_something_for_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
