/* plan_test.c - copies, derived ids, timers, what a new job carries; and how facts take a plan in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/world.h"
#include "worker/decide/detail.h"

static struct world world;

static int set_up(void **state)
{
    (void)state;
    world_init(&world);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_deinit(&world);
    return 0;
}

static struct plan *empty_plan(const struct input *input)
{
    struct plan *plan = plan_create(world.arena, &world.facts, input);
    plan->rule = "test.rule";
    return plan;
}

static void test_ids_depend_on_source_event_rule_and_ordinal(void **state)
{
    (void)state;
    struct input input = world_input(INPUT_AGENT_CREATE, SL_STR("evt_1"), 1000);
    struct plan *plan = empty_plan(&input);
    struct sl_uuid first = plan_derive_id(plan);
    struct sl_uuid second = plan_derive_id(plan);
    assert_false(sl_uuid_equal(first, second));
    assert_true(sl_uuid_equal(first, plan_derive_id(empty_plan(&input))));

    struct plan *other_rule = empty_plan(&input);
    other_rule->rule = "test.other";
    assert_false(sl_uuid_equal(first, plan_derive_id(other_rule)));
    input.event_id = SL_STR("evt_2");
    assert_false(sl_uuid_equal(first, plan_derive_id(empty_plan(&input))));
    input.event_id = SL_STR("evt_1");
    input.source = SL_STR("/elsewhere");
    assert_false(sl_uuid_equal(first, plan_derive_id(empty_plan(&input))));

    /* Stored ids come from here: they must not change between releases. The parts are joined by NUL: "/test",
     * "evt_1", "test.rule", "0". */
    const struct sl_str parts[] = {SL_STR("/test"), SL_STR("evt_1"), SL_STR("test.rule"), SL_STR("0")};
    assert_true(sl_uuid_equal(first, sl_uuid_v5(SL_UUID_SPACE, parts, SL_ARRAY_LEN(parts))));
}

static void test_an_entity_is_copied_once_and_stays_where_it_is(void **state)
{
    (void)state;
    struct input input = world_input(INPUT_AGENT_STOP, SL_STR("e"), 1000);
    (void)world_agent(&world, 'A', AGENT_ACTIVE);
    (void)world_agent(&world, 'B', AGENT_ACTIVE);
    struct plan *plan = empty_plan(&input);
    struct agent *a = plan_agent(plan, &world.facts.agents[0]);
    struct agent *b = plan_agent(plan, &world.facts.agents[1]);
    assert_ptr_not_equal(a, b);
    a->region = SL_STR("moon");
    assert_ptr_equal(plan_agent(plan, &world.facts.agents[0]), a);
    assert_int_equal(plan->agent_count, 2);
    assert_true(sl_str_is(world.facts.agents[0].region, "us-east"));
}

static void test_a_new_job_carries_its_cause(void **state)
{
    (void)state;
    struct input input = world_input(INPUT_AGENT_STOP, SL_STR("evt_1"), 1000);
    const struct agent *agent = world_agent(&world, 'A', AGENT_ACTIVE);
    struct plan *plan = empty_plan(&input);
    const struct job *job = plan_job_new(plan, &world.facts, agent, JOB_STOP, SL_STR_NONE);
    assert_true(sl_str_is(job->rule, "test.rule"));
    assert_true(sl_str_is(job->cause_event_id, "evt_1"));
    assert_true(sl_str_is(job->cause_source, "/test"));
    assert_true(sl_str_is(job->backend, "github-actions"));
    assert_true(sl_uuid_equal(job->agent_id, world_id('A')));
    assert_int_equal(job->status, JOB_QUEUED);
    assert_int_equal(job->priority, 0);
    assert_int_equal(plan_job_new(plan, &world.facts, agent, JOB_START, SL_STR_NONE)->priority, 1);
    assert_false(job->exists);
    assert_int_equal(job->seq, 0);
}

static void test_a_moved_job_has_a_higher_fence_and_its_end(void **state)
{
    (void)state;
    struct input input = world_input(INPUT_JOB_FAILED, SL_STR("e"), 1234);
    struct job *job = plan_job(empty_plan(&input), world_job(&world, 'J', JOB_STOP, JOB_RUNNING, 'A'));
    struct plan *plan = empty_plan(&input);
    plan_move_job(plan, job, JOB_FAILED, SL_STR("boom"));
    assert_int_equal(job->fence, 2);
    assert_int_equal(job->ended_at_ms, 1234);
    assert_true(sl_str_is(job->error, "boom"));
    job->settled = job->cancel_requested = true;
    plan_job_requeue(plan, job);
    assert_int_equal(job->status, JOB_QUEUED);
    assert_int_equal(job->fence, 3);
    assert_int_equal(job->ended_at_ms, 0);
    assert_true(job->requeue && !job->settled && !job->cancel_requested && sl_str_empty(job->error));
}

static void test_a_timer_is_one_however_often_it_is_set(void **state)
{
    (void)state;
    struct input input = world_input(INPUT_CALLBACK_CLAIMED, SL_STR("e"), 1000);
    struct plan *plan = empty_plan(&input);
    plan_timer_set(plan, &world.facts, "heartbeat_missed", SL_STR("subject"), 5);
    plan_timer_set(plan, &world.facts, "heartbeat_missed", SL_STR("subject"), 6);
    plan_timer_set(plan, &world.facts, "provision_timeout", SL_STR("subject"), 7);
    assert_int_equal(plan->timer_count, 2);
    assert_int_equal(plan->timers[0].due_at_ms, 6);
    facts_apply(&world.facts, plan, world.arena);
    assert_true(world.facts.timers[0].changed && !world.facts.timers[0].exists);

    struct plan *later = empty_plan(&input);
    plan_timer_cancel(later, &world.facts, "heartbeat_missed", SL_STR("subject"));
    facts_apply(&world.facts, later, world.arena);
    assert_int_equal(world.facts.timer_count, 2);
    assert_true(world.facts.timers[0].cancelled);
    /* Cancelled is cancelled: nothing to write. */
    struct plan *again = empty_plan(&input);
    plan_timer_cancel(again, &world.facts, "heartbeat_missed", SL_STR("subject"));
    assert_int_equal(again->timer_count, 0);
}

static void test_facts_take_in_every_kind_of_row(void **state)
{
    (void)state;
    struct input input = world_input(INPUT_AGENT_CREATE, SL_STR("e"), 1000);
    (void)world_subscription(&world, SL_STR("sub_1"), SL_STR("active"));
    struct plan *plan = empty_plan(&input);
    plan_user(plan, &world.facts)->email = SL_STR("a@example.com");
    plan_subscription(plan, &world.facts, SL_STR("sub_1"))->status = SL_STR("past_due");
    (void)plan_subscription(plan, &world.facts, SL_STR("sub_2"));
    (void)plan_agent_new(plan, &world.facts, world_id('A'));
    (void)plan_job_new(plan, &world.facts, &plan->agents[0], JOB_PROVISION, SL_STR_NONE);
    facts_apply(&world.facts, plan, world.arena);
    facts_check(&world.facts);
    assert_true(world.facts.user.changed && sl_str_is(world.facts.user.email, "a@example.com"));
    const struct subscription *known = facts_subscription(&world.facts, SL_STR("sub_1"));
    assert_true(known->changed && known->exists && sl_str_is(known->status, "past_due"));
    const struct subscription *new_one = facts_subscription(&world.facts, SL_STR("sub_2"));
    assert_true(new_one->changed && !new_one->exists && sl_str_is(new_one->status, "incomplete"));
    assert_int_equal(facts_agent(&world.facts, world_id('A'))->status, AGENT_DRAFT);
    assert_int_equal(world.facts.job_count, 1);
}

static void test_a_requeued_job_goes_behind_the_new_ones(void **state)
{
    (void)state;
    struct input input = world_input(INPUT_CALLBACK_FAILED, SL_STR("e"), 1000);
    const struct agent *agent = world_agent(&world, 'A', AGENT_PROVISIONING);
    (void)world_job(&world, 'J', JOB_PROVISION, JOB_QUEUED, 'A');
    (void)world_job(&world, 'K', JOB_PROVISION, JOB_QUEUED, 'A');
    struct plan *plan = empty_plan(&input);
    const struct job *rollback = plan_job_new(plan, &world.facts, agent, JOB_ROLLBACK, SL_STR_NONE);
    plan_job_requeue(plan, plan_job(plan, &world.facts.jobs[0]));
    facts_apply(&world.facts, plan, world.arena);
    facts_check(&world.facts);
    assert_int_equal(world_letter(world.facts.jobs[0].id), 'K');
    assert_true(sl_uuid_equal(world.facts.jobs[1].id, rollback->id));
    assert_int_equal(world_letter(world.facts.jobs[2].id), 'J');
    assert_int_equal(world.facts.jobs[2].seq, 0);
    assert_int_equal(world.facts.job_count, 3);
    /* Once more within the batch: from the middle to the end again. */
    struct plan *later = empty_plan(&input);
    plan_job_requeue(later, plan_job(later, &world.facts.jobs[0]));
    facts_apply(&world.facts, later, world.arena);
    assert_int_equal(world_letter(world.facts.jobs[2].id), 'K');
    assert_int_equal(world_letter(world.facts.jobs[1].id), 'J');
}

static void test_details_are_json(void **state)
{
    (void)state;
    static const char NUL_AND_MORE[] = "a\0\n\"\\\x1f/\xc3\xa9";
    const struct detail members[] = {
        {"first", SL_STR_NONE},
        {"second", {.ptr = NUL_AND_MORE, .len = sizeof(NUL_AND_MORE) - 1}},
        {"third", SL_STR("3")},
    };
    struct sl_str text = detail_object(world.arena, members, SL_ARRAY_LEN(members));
    assert_true(sl_str_is(text, "{\"second\":\"a\\ufffd\\u000a\\\"\\\\\\u001f/\xc3\xa9\",\"third\":\"3\"}"));
    assert_true(sl_str_empty(detail_object(world.arena, members, 1)));
    assert_true(sl_str_empty(detail_object(world.arena, members, 0)));
}

static void test_times_are_iso_8601(void **state)
{
    (void)state;
    static const struct {
        int64_t at_s;
        const char *text;
    } TIMES[] = {
        {1, "1970-01-01T00:00:01Z"},          {951782399, "2000-02-28T23:59:59Z"},
        {951782400, "2000-02-29T00:00:00Z"},  {951868800, "2000-03-01T00:00:00Z"},
        {1709164800, "2024-02-29T00:00:00Z"}, {1795255200, "2026-11-21T10:00:00Z"},
        {1798761599, "2026-12-31T23:59:59Z"}, {4107542400, "2100-03-01T00:00:00Z"},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(TIMES); i++)
        assert_true(sl_str_is(detail_time(world.arena, TIMES[i].at_s), TIMES[i].text));
    assert_true(sl_str_empty(detail_time(world.arena, 0)));
    assert_true(sl_str_is(detail_number(world.arena, -1), "-1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ids_depend_on_source_event_rule_and_ordinal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_entity_is_copied_once_and_stays_where_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_new_job_carries_its_cause, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_moved_job_has_a_higher_fence_and_its_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_timer_is_one_however_often_it_is_set, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_facts_take_in_every_kind_of_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_requeued_job_goes_behind_the_new_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_details_are_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_times_are_iso_8601, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
