/* The log decided again in memory: each event over what those before it left, users and workspaces apart. */
#include <stdio.h>

#include "tests/unit/cmocka_all.h"
#include "worker/apply/history.h"

#define AGENT "0b8f2d4e-6a51-4f5c-9a33-0d5c3f6b7a10"

struct scene {
    struct history *history;
    struct policy policy;
    int64_t at_ms;
};

static struct scene scene_create(void)
{
    static const struct offer OFFERS[] = {{.name = {.ptr = "x", .len = 1},
                                           .price_id = {.ptr = "price_x", .len = 7},
                                           .max_agents = 1,
                                           .max_messages_per_day = 10}};
    struct scene scene = {.at_ms = 1000000};
    scene.policy = (struct policy){.offers = OFFERS,
                                   .offer_count = 1,
                                   .heartbeat_ms = 1000,
                                   .heartbeats_missed_max = 3,
                                   .provision_timeout_ms = 60000,
                                   .default_region = SL_STR("us-east"),
                                   .free_offer = {.name = SL_STR("free"), .max_agents = 1, .max_messages_per_day = 5}};
    return scene;
}

/* The history borrows the policy: it has to stand where it stays. */
static void begin(struct scene *scene)
{
    scene->history = history_create(&scene->policy);
}

static struct history_now decided(struct scene *scene, const struct input *input, const char *id, const char *seen)
{
    struct item item = {.has_event = true, .has_input = true, .input = *input};
    struct history_now now;
    item.input.event_id = sl_str_of(id);
    item.input.source = SL_STR("/test");
    item.input.received_at_ms = scene->at_ms += 1000;
    const struct history_then then = {
        .decided_at_ms = scene->at_ms, .batch = scene->at_ms, .seen = sl_str_of(seen ? seen : "")};
    assert_true(history_decide(scene->history, &item, &then, &now, NULL));
    return now;
}

static struct input of_user(enum input_type type, const char *user)
{
    return (struct input){.type = type, .user_named = sl_str_of(user), .actor = SL_STR("test")};
}

static void subscribe(struct scene *scene, const char *user)
{
    struct input input = of_user(INPUT_STRIPE_SUBSCRIPTION_CREATED, user);
    input.created_s = 100;
    input.as.subscription =
        (struct input_subscription){.id = SL_STR("sub_1"), .status = SL_STR("active"), .price_id = SL_STR("price_x")};
    assert_int_equal(decided(scene, &input, "evt_sub", NULL).plan->outcome, OUTCOME_APPLIED);
}

static struct sl_uuid agent_id(void)
{
    struct sl_uuid id;
    assert_true(sl_uuid_parse(SL_STR(AGENT), &id));
    return id;
}

static struct sl_uuid provision(struct scene *scene, const char *user)
{
    struct input create = of_user(INPUT_AGENT_CREATE, user);
    create.as.agent = (struct input_agent){
        .agent_id = agent_id(), .name = SL_STR("a"), .backend = SL_STR("hetzner"), .region = SL_STR("us-east")};
    assert_int_equal(decided(scene, &create, "create", NULL).plan->outcome, OUTCOME_APPLIED);
    struct input command = of_user(INPUT_AGENT_PROVISION, user);
    command.as.agent.agent_id = agent_id();
    const struct history_now now = decided(scene, &command, "provision", NULL);
    assert_int_equal(now.plan->outcome, OUTCOME_APPLIED);
    assert_int_equal(now.plan->job_count, 1);
    return now.plan->jobs[0].id;
}

static void each_event_is_decided_over_those_before_it(void **state)
{
    struct scene scene = scene_create();
    (void)state;
    begin(&scene);
    struct input early = of_user(INPUT_AGENT_PROVISION, "u");
    early.as.agent.agent_id = agent_id();
    assert_int_equal(decided(&scene, &early, "too-early", NULL).plan->outcome, OUTCOME_REJECTED);
    subscribe(&scene, "u");
    struct sl_uuid job = provision(&scene, "u");
    struct input report = {.type = INPUT_JOB_SUCCEEDED, .actor = SL_STR("system")};
    report.as.job = (struct input_job){.job_id = job, .fence = 1, .server_id = SL_STR("77")};
    const struct history_now now = decided(&scene, &report, "report", NULL);
    assert_str_is(now.user_id, "u"); /* found by its job */
    assert_string_equal(now.plan->rule, "job.succeeded.provision");
    assert_int_equal(now.plan->agents[0].status, AGENT_ACTIVE);
    struct input again = report;
    assert_string_equal(decided(&scene, &again, "report-2", NULL).plan->rule, "job.succeeded.stale");
    assert_int_equal(history_user_count(scene.history), 1);
    history_destroy(scene.history);
}

static void what_the_executor_did_comes_with_the_event(void **state)
{
    struct scene scene = scene_create();
    char id[SL_UUID_TEXT_BYTES];
    char seen[128];
    (void)state;
    begin(&scene);
    subscribe(&scene, "u");
    struct sl_uuid job = provision(&scene, "u");
    struct input cancel = of_user(INPUT_JOB_CANCEL, "u");
    cancel.as.job.job_id = job;
    sl_uuid_format(job, id);
    (void)snprintf(seen, sizeof(seen), "{\"%s\":[\"running\",\"create_server\",true,1]}", id);
    assert_string_equal(decided(&scene, &cancel, "cancel-1", seen).plan->rule, "job.cancel.ended");
    (void)snprintf(seen, sizeof(seen), "{\"%s\":[\"running\",\"create_server\",false,1]}", id);
    const struct history_now now = decided(&scene, &cancel, "cancel-2", seen);
    assert_int_equal(now.plan->outcome, OUTCOME_APPLIED);
    assert_true(now.plan->jobs[0].cancel_requested);
    history_destroy(scene.history);
}

static void users_do_not_see_each_other(void **state)
{
    struct scene scene = scene_create();
    (void)state;
    begin(&scene);
    subscribe(&scene, "u");
    (void)provision(&scene, "u");
    struct input command = of_user(INPUT_AGENT_STOP, "other");
    command.as.agent.agent_id = agent_id();
    const struct history_now now = decided(&scene, &command, "foreign", NULL);
    assert_int_equal(now.plan->outcome, OUTCOME_REJECTED);
    assert_int_equal(now.plan->error, ERROR_FORBIDDEN);
    assert_int_equal(history_user_count(scene.history), 2);
    history_destroy(scene.history);
}

static void the_same_events_give_the_same_digests(void **state)
{
    int64_t digests[2];
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(digests); i++) {
        struct scene scene = scene_create();
        begin(&scene);
        subscribe(&scene, "u");
        (void)provision(&scene, "u");
        struct input destroy = of_user(INPUT_AGENT_DESTROY, "u");
        destroy.as.agent.agent_id = agent_id();
        digests[i] = decided(&scene, &destroy, "destroy", NULL).effects;
        history_destroy(scene.history);
    }
    assert_int_equal(digests[0], digests[1]);
}

static void an_unknown_customers_event_waits_until_it_is_somebodys(void **state)
{
    struct scene scene = scene_create();
    struct input nameless = {.type = INPUT_STRIPE_SUBSCRIPTION_CREATED,
                             .customer_id = SL_STR("cus_1"),
                             .created_s = 100,
                             .actor = SL_STR("stripe")};
    (void)state;
    begin(&scene);
    nameless.as.subscription =
        (struct input_subscription){.id = SL_STR("sub_1"), .status = SL_STR("active"), .price_id = SL_STR("price_x")};
    assert_int_equal(decided(&scene, &nameless, "evt", NULL).plan->outcome, OUTCOME_PARKED);
    assert_int_equal(history_user_count(scene.history), 0);
    struct input naming = of_user(INPUT_STRIPE_CUSTOMER, "u");
    naming.customer_id = SL_STR("cus_1");
    assert_int_equal(decided(&scene, &naming, "evt_2", NULL).plan->outcome, OUTCOME_APPLIED);
    const struct history_now now = decided(&scene, &nameless, "evt", NULL);
    assert_int_equal(now.plan->outcome, OUTCOME_APPLIED);
    assert_str_is(now.user_id, "u");
    history_destroy(scene.history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_event_is_decided_over_those_before_it),
        cmocka_unit_test(what_the_executor_did_comes_with_the_event),
        cmocka_unit_test(users_do_not_see_each_other),
        cmocka_unit_test(the_same_events_give_the_same_digests),
        cmocka_unit_test(an_unknown_customers_event_waits_until_it_is_somebodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
