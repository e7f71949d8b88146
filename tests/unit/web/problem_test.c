/* problem_test.c - of web/problem.c. */
#include "tests/unit/web/check.h"

#include "common/json.h"
#include "web/problem.h"

static void every_code_has_a_status_and_a_name(void **state)
{
    (void)state;
    for (enum problem_code code = PROBLEM_INVALID_SIGNATURE; code < PROBLEM_CODE_COUNT; code++) {
        struct sl_buf buf;
        struct problem problem;
        SL_JSON_AUTO *json = NULL;
        int64_t status = 0;
        sl_buf_init(&buf, 4096);
        (void)problem_set(&problem, code, "a \"quoted\" detail");
        problem_write(&problem, &buf);
        assert_true(sl_json_parse(sl_buf_str(&buf), 0, &json, NULL));
        assert_true(sl_json_int(json, "status", &status) && status == problem_status(code) && status >= 400);
        assert_str(sl_json_str(json, "errorCode"), problem_name(code));
        assert_str(sl_json_str(json, "detail"), "a \"quoted\" detail");
        assert_true(sl_json_str(json, "title").len > 0);
        sl_buf_deinit(&buf);
    }
}

static void fields_are_listed_and_bounded(void **state)
{
    (void)state;
    struct sl_buf buf;
    struct problem problem;
    SL_JSON_AUTO *json = NULL;
    sl_buf_init(&buf, 8192);
    (void)problem_set(&problem, PROBLEM_INVALID_COMMAND, NULL);
    for (size_t i = 0; i < PROBLEM_FIELDS_MAX + 5; i++)
        problem_add_field(&problem, i == 0 ? "name" : "other", "must be good");
    problem_write(&problem, &buf);
    assert_true(sl_json_parse(sl_buf_str(&buf), 0, &json, NULL));
    assert_int_equal(json_array_size(json_object_get(json, "errors")), PROBLEM_FIELDS_MAX);
    assert_str(sl_json_str(json, "errors.0.field"), "name");
    assert_str(sl_json_str(json, "errors.1.detail"), "must be good");
    assert_null(sl_json_at(json, "detail"));
    sl_buf_deinit(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_code_has_a_status_and_a_name),
                                       cmocka_unit_test(fields_are_listed_and_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
