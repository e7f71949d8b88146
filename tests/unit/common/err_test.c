/* err_test.c - classes, messages, detail and hint, and cutting. */
#include "tests/unit/cmocka_all.h"

#include "common/err.h"
#include "common/utf8.h"

static void setting_fills_and_gives_false(void **state)
{
    (void)state;
    struct sl_err err = {.code = "old", .detail = "old", .hint = "old"};
    assert_false(sl_err_set(&err, SL_ERR_RETRY, "topic %s is away", "t1"));
    assert_int_equal(err.error_class, SL_ERR_RETRY);
    assert_string_equal(err.message, "topic t1 is away");
    assert_string_equal(err.code, "");
    assert_string_equal(err.detail, "");
    assert_string_equal(err.hint, "");
    sl_err_code(&err, "40001");
    sl_err_detail(&err, "%d rows", 3);
    sl_err_hint(&err, "try %s", "later");
    assert_string_equal(err.code, "40001");
    assert_string_equal(err.detail, "3 rows");
    assert_string_equal(err.hint, "try later");
    sl_err_code(&err, NULL);
    assert_string_equal(err.code, "");
    sl_err_clear(&err);
    assert_int_equal(err.error_class, SL_ERR_NONE);
    assert_string_equal(err.message, "");
}

static void nobody_need_ask_for_the_error(void **state)
{
    (void)state;
    assert_false(sl_err_set(NULL, SL_ERR_FATAL, "lost"));
    sl_err_detail(NULL, "d");
    sl_err_hint(NULL, "h");
    sl_err_code(NULL, "c");
    sl_err_clear(NULL);
}

static void an_error_may_be_wrapped_in_itself(void **state)
{
    (void)state;
    struct sl_err err;
    sl_err_set(&err, SL_ERR_PERMANENT, "no such table");
    sl_err_detail(&err, "detail");
    sl_err_set(&err, err.error_class, "migration 3: %s (%s)", err.message, err.detail);
    assert_string_equal(err.message, "migration 3: no such table (detail)");
}

static void long_texts_are_cut_between_characters(void **state)
{
    (void)state;
    char text[3000];
    for (size_t i = 0; i + 3 <= sizeof(text) - 1; i += 3) {
        memcpy(text + i, "€", 3);
    }
    text[sizeof(text) - 1 - (sizeof(text) - 1) % 3] = '\0';
    struct sl_err err;
    sl_err_set(&err, SL_ERR_PERMANENT, "%s", text);
    sl_err_detail(&err, "x%s", text);
    sl_err_hint(&err, "xx%s", text);
    sl_err_code(&err, text);
    const char *const fields[] = {err.message, err.detail, err.hint, err.code};
    const size_t sizes[] = {sizeof(err.message), sizeof(err.detail), sizeof(err.hint), sizeof(err.code)};
    for (size_t i = 0; i < SL_ARRAY_LEN(fields); i++) {
        assert_true(sl_utf8_is_valid(sl_str_of(fields[i])));
        assert_in_range(strlen(fields[i]), sizes[i] - 4, sizes[i] - 1);
    }
}

static void classes_have_names(void **state)
{
    (void)state;
    assert_string_equal(sl_err_class_name(SL_ERR_NONE), "none");
    assert_string_equal(sl_err_class_name(SL_ERR_RETRY), "retry");
    assert_string_equal(sl_err_class_name(SL_ERR_PERMANENT), "permanent");
    assert_string_equal(sl_err_class_name(SL_ERR_FATAL), "fatal");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_fills_and_gives_false),
        cmocka_unit_test(nobody_need_ask_for_the_error),
        cmocka_unit_test(an_error_may_be_wrapped_in_itself),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(classes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
