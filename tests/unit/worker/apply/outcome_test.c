/* An outcome has the shape of the contract's section 7, told at once or again from its row. */
#include "common/json.h"
#include "tests/unit/cmocka_all.h"
#include "worker/apply/announce.h"
#include "worker/apply/outcome.h"

static void a_refusal_carries_code_message_and_status(void **state)
{
    struct sl_arena *arena = sl_arena_create(65536);
    const struct outcome_head head = {.id = SL_STR("e"),
                                      .type = SL_STR("command.agent.provision"),
                                      .user_id = SL_STR("u"),
                                      .outcome = OUTCOME_REJECTED,
                                      .error_code = SL_STR("NO_ACTIVE_SUBSCRIPTION")};
    (void)state;
    assert_str_is(outcome_write(arena, &head, outcome_result_of_message(arena, "say \"no\"")),
                  "{\"id\":\"e\",\"type\":\"command.agent.provision\",\"user_id\":\"u\",\"result\":\"rejected\","
                  "\"errorCode\":\"NO_ACTIVE_SUBSCRIPTION\",\"http_status\":403,\"message\":\"say \\\"no\\\"\","
                  "\"job_ids\":[],\"data\":{}}");
    sl_arena_destroy(arena);
}

static void a_plan_gives_its_agent_and_jobs(void **state)
{
    struct sl_arena *arena = sl_arena_create(65536);
    struct job jobs[2] = {{.id.bytes = {1}}, {.id.bytes = {2}}};
    const struct plan plan = {.agent_id.bytes = {3}, .jobs = jobs, .job_count = 2, .message = SL_STR("queued")};
    const struct outcome_head head = {.id = SL_STR("e"), .type = SL_STR("t"), .outcome = OUTCOME_APPLIED};
    (void)state;
    assert_str_is(outcome_write(arena, &head, outcome_result_of_plan(arena, &plan)),
                  "{\"id\":\"e\",\"type\":\"t\",\"result\":\"applied\",\"http_status\":200,\"message\":\"queued\","
                  "\"agent_id\":\"03000000-0000-0000-0000-000000000000\",\"job_ids\":["
                  "\"01000000-0000-0000-0000-000000000000\",\"02000000-0000-0000-0000-000000000000\"],\"data\":{}}");
    sl_arena_destroy(arena);
}

static void a_result_that_cannot_be_read_counts_as_empty(void **state)
{
    static const char *const RESULTS[] = {"", "{", "[]"};
    const struct outcome_head head = {.id = SL_STR("e"), .type = SL_STR("t"), .outcome = OUTCOME_PARKED};
    struct sl_arena *arena = sl_arena_create(65536);
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(RESULTS); i++)
        assert_str_is(outcome_write(arena, &head, sl_str_of(RESULTS[i])),
                      "{\"id\":\"e\",\"type\":\"t\",\"result\":\"parked\",\"http_status\":202,\"job_ids\":[],"
                      "\"data\":{}}");
    sl_arena_destroy(arena);
}

static void data_is_carried_and_pending_is_kept_inside(void **state)
{
    struct sl_arena *arena = sl_arena_create(65536);
    const struct plan plan = {.data = SL_STR("{\"purged\":3}"), .message = SL_STR("m")};
    const struct plan later = {.answers_later = true, .message = SL_STR("m")};
    const struct answer answer = {.message = SL_STR("open"), .data = SL_STR("{\"success\":true}")};
    const struct outcome_head head = {.id = SL_STR("e"), .type = SL_STR("t"), .outcome = OUTCOME_APPLIED};
    (void)state;
    assert_str_is(outcome_write(arena, &head, outcome_result_of_plan(arena, &plan)),
                  "{\"id\":\"e\",\"type\":\"t\",\"result\":\"applied\",\"http_status\":200,\"message\":\"m\","
                  "\"job_ids\":[],\"data\":{\"purged\":3}}");
    assert_str_is(outcome_result_of_plan(arena, &later), "{\"job_ids\":[],\"message\":\"m\",\"pending\":true}");
    assert_true(outcome_is_pending(outcome_result_of_plan(arena, &later)));
    assert_false(outcome_is_pending(outcome_result_of_plan(arena, &plan)));
    assert_false(outcome_is_pending(SL_STR_NONE));
    assert_str_is(outcome_result_of_answer(arena, &answer, (struct sl_uuid){.bytes = {1}}),
                  "{\"job_ids\":[\"01000000-0000-0000-0000-000000000000\"],\"message\":\"open\","
                  "\"data\":{\"success\":true}}");
    /* What is kept inside is never told. */
    assert_str_is(outcome_write(arena, &head, SL_STR("{\"pending\":true,\"answer\":{\"id\":\"x\"}}")),
                  "{\"id\":\"e\",\"type\":\"t\",\"result\":\"applied\",\"http_status\":200,\"job_ids\":[],"
                  "\"data\":{}}");
    sl_arena_destroy(arena);
}

static void outcomes_are_read_as_they_are_spelled(void **state)
{
    (void)state;
    for (int i = OUTCOME_NONE + 1; i < OUTCOME_COUNT; i++)
        assert_int_equal(outcome_parse(sl_str_of(outcome_name((enum outcome)i))), i);
    assert_int_equal(outcome_parse(SL_STR("Applied")), OUTCOME_NONE);
    assert_int_equal(outcome_parse(SL_STR_NONE), OUTCOME_NONE);
}

static void each_outcome_has_its_http_status(void **state)
{
    (void)state;
    assert_int_equal(outcome_http_status(OUTCOME_APPLIED, SL_STR_NONE), 200);
    assert_int_equal(outcome_http_status(OUTCOME_IGNORED, SL_STR_NONE), 200);
    assert_int_equal(outcome_http_status(OUTCOME_PARKED, SL_STR_NONE), 202);
    assert_int_equal(outcome_http_status(OUTCOME_HELD, SL_STR_NONE), 202);
    assert_int_equal(outcome_http_status(OUTCOME_DEAD, SL_STR_NONE), 500);
    for (int i = ERROR_NONE + 1; i < ERROR_CODE_COUNT; i++)
        assert_int_equal(outcome_http_status(OUTCOME_REJECTED, sl_str_of(error_code_name((enum error_code)i))),
                         error_code_http_status((enum error_code)i));
    assert_int_equal(outcome_http_status(OUTCOME_REJECTED, SL_STR("OF_A_LATER_RELEASE")), 409);
}

static void who_waits_is_a_partition_and_a_correlation(void **state)
{
    static const char *const BAD[] = {"",
                                      "3",
                                      "3/",
                                      "/6f9619ff-8b86-d011-b42d-00cf4fc964ff",
                                      "-1/6f9619ff-8b86-d011-b42d-00cf4fc964ff",
                                      "99999999999/6f9619ff-8b86-d011-b42d-00cf4fc964ff",
                                      "3/not-a-uuid"};
    int32_t partition = -1;
    struct sl_str id;
    (void)state;
    assert_true(announce_parse_reply_to(SL_STR("3/6f9619ff-8b86-d011-b42d-00cf4fc964ff"), &partition, &id));
    assert_int_equal(partition, 3);
    assert_str_is(id, "6f9619ff-8b86-d011-b42d-00cf4fc964ff");
    for (size_t i = 0; i < SL_ARRAY_LEN(BAD); i++)
        assert_false(announce_parse_reply_to(sl_str_of(BAD[i]), &partition, &id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_carries_code_message_and_status),
        cmocka_unit_test(a_plan_gives_its_agent_and_jobs),
        cmocka_unit_test(a_result_that_cannot_be_read_counts_as_empty),
        cmocka_unit_test(data_is_carried_and_pending_is_kept_inside),
        cmocka_unit_test(outcomes_are_read_as_they_are_spelled),
        cmocka_unit_test(each_outcome_has_its_http_status),
        cmocka_unit_test(who_waits_is_a_partition_and_a_correlation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
