/* answer_test.c - of ingress/answer.c: outcomes become answers. */
#include "tests/unit/web/check.h"

#include "common/json.h"
#include "ingress/answer.h"

static const struct {
    const char *outcome;
    int status;
    const char *content_type;
} ROWS[] = {
    {"{\"id\":\"1\",\"result\":\"applied\",\"http_status\":202}", 202, "application/json"},
    {"{\"result\":\"applied\"}", 200, "application/json"},
    {"{\"result\":\"ignored\"}", 200, "application/json"},
    {"{\"result\":\"rejected\",\"errorCode\":\"NO_ACTIVE_SUBSCRIPTION\",\"http_status\":403}", 403,
     "application/problem+json"},
    {"{\"result\":\"rejected\"}", 409, "application/problem+json"},
    {"{\"result\":\"rejected\",\"http_status\":99999}", 409, "application/problem+json"},
    {"{\"result\":\"rejected\",\"http_status\":\"403\"}", 409, "application/problem+json"},
    {"{\"result\":\"dead\"}", 500, "application/problem+json"},
    {"{\"result\":\"surprise\"}", 0, NULL},
    {"{}", 0, NULL},
    {"[]", 0, NULL},
    {"no JSON", 0, NULL},
};

static void outcomes_bring_their_status(void **state)
{
    (void)state;
    struct sl_arena *arena = sl_arena_create(1 << 22);
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        struct answer answer = {.status = -1};
        bool ok = answer_outcome(sl_str_of(ROWS[i].outcome), arena, &answer);
        if (ok != (ROWS[i].status != 0))
            fail_msg("row %zu", i);
        assert_int_equal(answer.status, ok ? ROWS[i].status : -1);
        if (ok)
            assert_string_equal(answer.content_type, ROWS[i].content_type);
    }
    sl_arena_destroy(arena);
}

static void a_rejection_carries_the_outcome(void **state)
{
    (void)state;
    struct sl_arena *arena = sl_arena_create(1 << 22);
    struct answer answer;
    SL_JSON_AUTO *json = NULL;
    assert_true(answer_outcome(SL_STR("{\"id\":\"e1\",\"result\":\"rejected\",\"errorCode\":\"AGENT_NOT_FOUND\","
                                      "\"message\":\"no such agent\",\"http_status\":404}"),
                               arena, &answer));
    assert_true(sl_json_parse(answer.body, 0, &json, NULL));
    assert_str(sl_json_str(json, "errorCode"), "AGENT_NOT_FOUND");
    assert_str(sl_json_str(json, "detail"), "no such agent");
    assert_str(sl_json_str(json, "outcome.id"), "e1");
    sl_arena_destroy(arena);
}

static void ids_and_receipts_are_written(void **state)
{
    (void)state;
    struct sl_arena *arena = sl_arena_create(1 << 22);
    struct answer answer = answer_accepted(SL_STR("a\"b"), arena);
    assert_str(answer.body, "{\"id\":\"a\\\"b\",\"status\":\"accepted\"}");
    answer_set_receipt(&answer, "sluice.events.v1", 11, 123456789012);
    assert_string_equal(answer.receipt, "sluice.events.v1/11/123456789012");
    sl_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outcomes_bring_their_status),
        cmocka_unit_test(a_rejection_carries_the_outcome),
        cmocka_unit_test(ids_and_receipts_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
