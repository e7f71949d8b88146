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
    struct scene scene = {.arena = sl_arena_create(65536)};
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

/* A type whose ids were forgotten would be decided over facts that lack what it is about. */
static void every_type_names_what_its_input_holds(void **state)
{
    (void)state;
    for (int type = INPUT_UNKNOWN; type < INPUT_TYPE_COUNT; type++) {
        struct input input = {.type = (enum input_type)type};
        memset(&input.as, 0x41, sizeof(input.as));
        bool names_nothing = sl_uuid_is_nil(resolve_agent_id(&input)) && sl_uuid_is_nil(resolve_job_id(&input)) &&
                             sl_str_empty(resolve_subscription_id(&input));
        bool may_name_nothing = type == INPUT_UNKNOWN || type == INPUT_STRIPE_CUSTOMER;
        assert_int_equal(names_nothing, may_name_nothing);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_holds),
        cmocka_unit_test(callbacks_timers_and_runs_belong_to_their_job),
        cmocka_unit_test(every_type_names_what_its_input_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
