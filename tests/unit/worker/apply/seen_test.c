/* What a decision saw of the executor's columns: written when the log does not tell it, put back as it was. */
#include "tests/unit/cmocka_all.h"
#include "worker/apply/seen.h"

static struct job job_of(uint8_t id, enum job_status status, const char *step, bool settled, int64_t fence)
{
    return (struct job){.id.bytes = {id},
                        .kind = JOB_PROVISION,
                        .status = status,
                        .step = sl_str_of(step),
                        .settled = settled,
                        .fence = fence};
}

static void only_claimed_jobs_are_written(void **state)
{
    struct sl_arena *arena = sl_arena_create(65536);
    struct job jobs[] = {job_of(1, JOB_QUEUED, "", false, 0), job_of(2, JOB_RUNNING, "create", false, 3),
                         job_of(3, JOB_QUEUED, "look", false, 2), job_of(4, JOB_SUCCEEDED, "done", true, 9)};
    const struct facts facts = {.jobs = jobs, .job_count = SL_ARRAY_LEN(jobs)};
    const struct input input = {.type = INPUT_AGENT_STOP};
    const struct input busy = {.type = INPUT_USAGE_RECORD};
    (void)state;
    assert_str_is(seen_write(arena, &facts, &input),
                  "{\"02000000-0000-0000-0000-000000000000\":[\"running\",\"create\",false,3],"
                  "\"03000000-0000-0000-0000-000000000000\":[\"queued\",\"look\",false,2]}");
    assert_str_is(seen_write(arena, &facts, &busy), "");
    sl_arena_destroy(arena);
}

static void a_report_tells_of_its_own_job(void **state)
{
    struct sl_arena *arena = sl_arena_create(65536);
    struct job as_reported = job_of(1, JOB_RUNNING, "create", true, 3);
    struct job overtaken = job_of(1, JOB_RUNNING, "create", true, 4);
    const struct facts facts = {.jobs = &as_reported, .job_count = 1};
    const struct facts later = {.jobs = &overtaken, .job_count = 1};
    const struct input report = {.type = INPUT_JOB_SUCCEEDED, .as.job = {.job_id.bytes = {1}, .fence = 3}};
    (void)state;
    assert_str_is(seen_write(arena, &facts, &report), "");
    assert_false(sl_str_empty(seen_write(arena, &later, &report)));
    struct job known = job_of(1, JOB_QUEUED, "", false, 0);
    struct facts memory = {.jobs = &known, .job_count = 1};
    assert_true(seen_apply(&memory, &report, SL_STR_NONE, arena, NULL));
    assert_int_equal(known.status, JOB_RUNNING);
    assert_true(known.settled);
    assert_int_equal(known.fence, 3);
    assert_false(sl_str_empty(known.step));
    sl_arena_destroy(arena);
}

static void a_report_of_an_attempt_that_was_overtaken_tells_nothing(void **state)
{
    struct sl_arena *arena = sl_arena_create(65536);
    const struct input report = {.type = INPUT_JOB_FAILED, .as.job = {.job_id.bytes = {1}, .fence = 3}};
    struct job requeued = job_of(1, JOB_QUEUED, "", false, 5);
    struct job ended = job_of(1, JOB_CANCELLED, "", false, 2);
    struct facts facts = {.jobs = &requeued, .job_count = 1};
    (void)state;
    assert_true(seen_apply(&facts, &report, SL_STR_NONE, arena, NULL));
    assert_int_equal(requeued.status, JOB_QUEUED);
    facts.jobs = &ended;
    assert_true(seen_apply(&facts, &report, SL_STR_NONE, arena, NULL));
    assert_int_equal(ended.status, JOB_CANCELLED);
    sl_arena_destroy(arena);
}

static void what_is_written_is_put_back(void **state)
{
    struct sl_arena *arena = sl_arena_create(65536);
    struct job then[] = {job_of(1, JOB_WAITING, "dispatch \"it\"", false, 7), job_of(2, JOB_RUNNING, "x", true, 1)};
    struct job now[] = {job_of(1, JOB_QUEUED, "", false, 0), job_of(2, JOB_QUEUED, "", false, 0)};
    const struct facts facts = {.jobs = then, .job_count = 2};
    struct facts memory = {.jobs = now, .job_count = 2};
    const struct input input = {.type = INPUT_JOB_CANCEL};
    (void)state;
    struct sl_str seen = seen_write(arena, &facts, &input);
    assert_true(seen_apply(&memory, &input, seen, arena, NULL));
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(now[i].status, then[i].status);
        assert_true(sl_str_equal(now[i].step, then[i].step));
        assert_int_equal(now[i].settled, then[i].settled);
        assert_int_equal(now[i].fence, then[i].fence);
    }
    sl_arena_destroy(arena);
}

static void what_is_none_of_ours_is_refused(void **state)
{
    static const char *const TEXTS[] = {"{", "{\"01000000-0000-0000-0000-000000000000\":[\"asleep\",\"\",false,1]}",
                                        "{\"01000000-0000-0000-0000-000000000000\":[\"running\"]}"};
    struct sl_arena *arena = sl_arena_create(65536);
    struct job job = job_of(1, JOB_QUEUED, "", false, 0);
    struct facts facts = {.jobs = &job, .job_count = 1};
    const struct input input = {.type = INPUT_JOB_CANCEL};
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(TEXTS); i++)
        assert_false(seen_apply(&facts, &input, sl_str_of(TEXTS[i]), arena, NULL));
    assert_true(seen_apply(
        &facts, &input, SL_STR("{\"09000000-0000-0000-0000-000000000000\":[\"running\",\"\",true,1]}"), arena, NULL));
    assert_int_equal(job.status, JOB_QUEUED);
    sl_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_claimed_jobs_are_written),
        cmocka_unit_test(a_report_tells_of_its_own_job),
        cmocka_unit_test(a_report_of_an_attempt_that_was_overtaken_tells_nothing),
        cmocka_unit_test(what_is_written_is_put_back),
        cmocka_unit_test(what_is_none_of_ours_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
