/* What a job's end noted of the command that it answered is enough to tell it again. */
#include "tests/unit/cmocka_all.h"
#include "worker/apply/answers.h"

static void the_note_gives_the_whole_outcome(void **state)
{
    static const char RESULT[] =
        "{\"job_ids\":[\"j\"],\"message\":\"Stripe has answered\",\"answer\":{\"source\":\"/api\",\"id\":\"e-1\","
        "\"type\":\"command.checkout.start\",\"user_id\":\"u\",\"reply_to\":\"3/x\",\"outcome\":\"applied\","
        "\"result\":{\"job_ids\":[\"j\"],\"message\":\"open\",\"data\":{\"checkout_url\":\"https://x\"}}}}";
    struct sl_arena *arena = sl_arena_create(1024 * 1024);
    struct answer_told told;
    (void)state;
    assert_true(answers_told_again(arena, sl_str_of(RESULT), &told));
    assert_str_is(told.source, "/api");
    assert_str_is(told.id, "e-1");
    assert_str_is(told.type, "command.checkout.start");
    assert_str_is(told.user_id, "u");
    assert_str_is(told.reply_to, "3/x");
    assert_str_is(told.outcome_json,
                  "{\"id\":\"e-1\",\"type\":\"command.checkout.start\",\"user_id\":\"u\",\"result\":\"applied\","
                  "\"http_status\":200,\"message\":\"open\",\"job_ids\":[\"j\"],"
                  "\"data\":{\"checkout_url\":\"https://x\"}}");
    sl_arena_destroy(arena);
}

static void a_refusal_keeps_its_code(void **state)
{
    static const char RESULT[] =
        "{\"answer\":{\"source\":\"/api\",\"id\":\"e-1\",\"type\":\"t\",\"outcome\":\"rejected\","
        "\"error_code\":\"CLOUD_UNAVAILABLE\",\"result\":{}}}";
    struct sl_arena *arena = sl_arena_create(1024 * 1024);
    struct answer_told told;
    (void)state;
    assert_true(answers_told_again(arena, sl_str_of(RESULT), &told));
    assert_str_is(told.outcome_json, "{\"id\":\"e-1\",\"type\":\"t\",\"result\":\"rejected\","
                                     "\"errorCode\":\"CLOUD_UNAVAILABLE\",\"http_status\":503,\"job_ids\":[],"
                                     "\"data\":{}}");
    assert_true(sl_str_empty(told.reply_to));
    sl_arena_destroy(arena);
}

static void other_results_answered_nothing(void **state)
{
    static const char *const RESULTS[] = {"", "{", "{}", "[]", "{\"pending\":true,\"job_ids\":[]}"};
    struct sl_arena *arena = sl_arena_create(1024 * 1024);
    struct answer_told told;
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(RESULTS); i++)
        assert_false(answers_told_again(arena, sl_str_of(RESULTS[i]), &told));
    sl_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_note_gives_the_whole_outcome),
        cmocka_unit_test(a_refusal_keeps_its_code),
        cmocka_unit_test(other_results_answered_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
