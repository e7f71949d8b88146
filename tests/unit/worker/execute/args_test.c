/* jobs.args: texts are kept by name, the rest is left out, and there is an end to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/execute/args.h"

static bool read_text(const char *text, struct args *ret_args, struct sl_err *err)
{
    SL_JSON_AUTO *json = NULL;
    assert_true(sl_json_parse(sl_str_of(text), 0, &json, NULL));
    return args_read(json, ret_args, err);
}

static void texts_are_found_by_name(void **state)
{
    (void)state;
    struct args args;
    assert_true(read_text("{\"tier\":\"starter\",\"empty\":\"\",\"count\":3,\"to\":\"a@b.example\"}", &args, NULL));
    assert_string_equal(args_text(&args, "tier"), "starter");
    assert_string_equal(args_text(&args, "to"), "a@b.example");
    assert_string_equal(args_text(&args, "empty"), "");
    assert_string_equal(args_text(&args, "count"), "");
    assert_string_equal(args_text(&args, "starter"), "");
    args_deinit(&args);
    args_deinit(&args);
    assert_string_equal(args_text(&args, "tier"), "");
}

static void each_comes_once(void **state)
{
    (void)state;
    struct args args;
    const char *name = NULL;
    const char *value = NULL;
    size_t at = 0;
    assert_true(read_text("{\"a\":\"1\",\"list\":[],\"b\":\"\"}", &args, NULL));
    assert_true(args_next(&args, &at, &name, &value));
    assert_string_equal(name, "a");
    assert_string_equal(value, "1");
    assert_true(args_next(&args, &at, &name, &value));
    assert_string_equal(name, "b");
    assert_string_equal(value, "");
    assert_false(args_next(&args, &at, &name, &value));
    args_deinit(&args);
}

static void nothing_is_no_text(void **state)
{
    (void)state;
    struct args args;
    assert_true(read_text("{}", &args, NULL));
    assert_null(args.pairs);
    assert_string_equal(args_text(&args, "tier"), "");
    args_deinit(&args);
}

static void what_is_too_long_or_no_object_is_refused(void **state)
{
    (void)state;
    struct args args = {0};
    struct sl_err err = {0};
    static char text[ARGS_BYTES_MAX + 16];
    int value_max = ARGS_BYTES_MAX - 3; /* "a" and two NULs */
    assert_false(read_text("[\"a\"]", &args, &err));
    assert_int_equal(err.error_class, SL_ERR_PERMANENT);
    snprintf(text, sizeof(text), "{\"a\":\"%0*d\"}", value_max, 0);
    assert_true(read_text(text, &args, NULL));
    assert_int_equal(strlen(args_text(&args, "a")), value_max);
    args_deinit(&args);
    snprintf(text, sizeof(text), "{\"a\":\"%0*d\"}", value_max + 1, 0);
    assert_false(read_text(text, &args, &err));
    assert_int_equal(err.error_class, SL_ERR_PERMANENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_found_by_name),
        cmocka_unit_test(each_comes_once),
        cmocka_unit_test(nothing_is_no_text),
        cmocka_unit_test(what_is_too_long_or_no_object_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
