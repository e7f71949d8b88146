/* A decision's digest is of what it changes, and of nothing that is merely carried along or written another way. */
#include "tests/unit/cmocka_all.h"
#include "worker/apply/digest.h"

static struct job queued(const char *args)
{
    return (struct job){
        .id.bytes = {1}, .kind = JOB_PROVISION, .status = JOB_QUEUED, .rule = SL_STR("r"), .args = sl_str_of(args)};
}

static int64_t digest_of_job(const struct facts *facts, struct job *job)
{
    const struct plan plan = {.rule = "r", .outcome = OUTCOME_APPLIED, .jobs = job, .job_count = 1};
    return digest_of_plan(facts, &plan);
}

static void the_same_document_is_the_same_however_it_is_written(void **state)
{
    const struct facts nothing = {0};
    struct job one = queued("{\"region\":\"us\",\"tier\":\"a\"}");
    struct job same = queued("{\"tier\": \"a\", \"region\": \"us\"}");
    struct job other = queued("{\"tier\": \"b\", \"region\": \"us\"}");
    (void)state;
    assert_int_equal(digest_of_job(&nothing, &one), digest_of_job(&nothing, &same));
    assert_int_not_equal(digest_of_job(&nothing, &one), digest_of_job(&nothing, &other));
}

static void what_is_carried_along_does_not_count(void **state)
{
    struct agent small = {.id.bytes = {1}, .status = AGENT_ACTIVE, .memory_limit_mb = 256};
    struct agent large = {.id.bytes = {1}, .status = AGENT_ACTIVE, .memory_limit_mb = 512};
    struct agent small_stops = small;
    struct agent large_stops = large;
    const struct facts of_small = {.agents = &small, .agent_count = 1};
    const struct facts of_large = {.agents = &large, .agent_count = 1};
    small_stops.status = large_stops.status = AGENT_STOPPING;
    const struct plan one = {.rule = "r", .agents = &small_stops, .agent_count = 1};
    const struct plan other = {.rule = "r", .agents = &large_stops, .agent_count = 1};
    (void)state;
    assert_int_equal(digest_of_plan(&of_small, &one), digest_of_plan(&of_large, &other));
    assert_int_not_equal(digest_of_plan(&of_small, &one), digest_of_plan(&of_small, &other));
}

static void arguments_written_another_way_are_no_change(void **state)
{
    struct job stored = queued("{\"tier\": \"a\", \"region\": \"us\"}");
    struct job as_told = queued("{\"region\":\"us\",\"tier\":\"a\"}");
    struct job again = as_told;
    struct job renewed = queued("{\"region\":\"us\",\"tier\":\"b\"}");
    const struct facts of_stored = {.jobs = &stored, .job_count = 1};
    const struct facts of_told = {.jobs = &as_told, .job_count = 1};
    (void)state;
    assert_int_equal(digest_of_job(&of_stored, &again), digest_of_job(&of_told, &again));
    assert_int_not_equal(digest_of_job(&of_stored, &renewed), digest_of_job(&of_stored, &again));
}

static void the_executors_columns_do_not_count(void **state)
{
    const struct facts nothing = {0};
    struct job one = queued("");
    struct job other = queued("{}");
    other.fence = 9;
    other.seq = 12;
    other.step = SL_STR("create");
    other.settled = true;
    (void)state;
    assert_int_equal(digest_of_job(&nothing, &one), digest_of_job(&nothing, &other));
}

static void neighbours_are_not_taken_for_one(void **state)
{
    const struct facts nothing = {0};
    struct subscription ab = {.id = SL_STR("s"), .status = SL_STR("ab"), .price_id = SL_STR("c")};
    struct subscription bc = {.id = SL_STR("s"), .status = SL_STR("a"), .price_id = SL_STR("bc")};
    const struct plan one = {.rule = "r", .subscriptions = &ab, .subscription_count = 1};
    const struct plan other = {.rule = "r", .subscriptions = &bc, .subscription_count = 1};
    (void)state;
    assert_int_not_equal(digest_of_plan(&nothing, &one), digest_of_plan(&nothing, &other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_document_is_the_same_however_it_is_written),
        cmocka_unit_test(what_is_carried_along_does_not_count),
        cmocka_unit_test(arguments_written_another_way_are_no_change),
        cmocka_unit_test(the_executors_columns_do_not_count),
        cmocka_unit_test(neighbours_are_not_taken_for_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
