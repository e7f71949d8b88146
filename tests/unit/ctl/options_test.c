/* options_test.c - sluicectl's command line: words, flags, values, times; and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "ctl/options.h"

#define HOUR_MS (3600 * INT64_C(1000))

static bool parse(struct options *options, struct sl_err *err, const char *line)
{
    static char storage[256];
    char *argv[32] = {(char[]){"sluicectl"}};
    int argc = 1;
    char *rest = storage;
    memset(err, 0, sizeof(*err));
    assert_true(strlen(line) < sizeof(storage));
    memcpy(storage, line, strlen(line) + 1);
    for (char *word; (word = strsep(&rest, " "));)
        argv[argc++] = word;
    return options_parse(argc, argv, options, err);
}

static void words_and_options_may_mix(void **state)
{
    struct options options;
    struct sl_err err;
    (void)state;
    assert_true(parse(&options, &err, "jobs --user u1 list --json --limit=7"));
    assert_int_equal(options.word_count, 2);
    assert_string_equal(options.words[1], "list");
    assert_string_equal(options.values[OPTION_USER], "u1");
    assert_string_equal(options.values[OPTION_LIMIT], "7");
    assert_true(options.json);
    assert_false(options.yes);
}

static void after_two_dashes_all_are_words(void **state)
{
    struct options options;
    struct sl_err err;
    (void)state;
    assert_true(parse(&options, &err, "users show -- --odd-id"));
    assert_string_equal(options.words[2], "--odd-id");
}

static void mistakes_are_named(void **state)
{
    static const struct {
        const char *line, *message;
    } ROWS[] = {
        {"jobs list --colour red", "unknown option --colour"},
        {"jobs list --user", "--user needs a value"},
        {"a b c d e f g h i", "too many arguments"},
    };
    struct options options;
    struct sl_err err;
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        assert_false(parse(&options, &err, ROWS[i].line));
        assert_non_null(strstr(err.message, ROWS[i].message));
        assert_int_equal(err.error_class, SL_ERR_PERMANENT);
    }
}

static void numbers_have_a_range(void **state)
{
    struct options options;
    struct sl_err err;
    int64_t value = -1;
    (void)state;
    assert_true(parse(&options, &err, "jobs list"));
    assert_true(options_int(&options, OPTION_LIMIT, 50, 1, 100, &value, &err));
    assert_int_equal(value, 50);
    assert_true(parse(&options, &err, "jobs list --limit 101"));
    value = -1;
    assert_false(options_int(&options, OPTION_LIMIT, 50, 1, 100, &value, &err));
    assert_int_equal(value, -1);
    assert_true(parse(&options, &err, "jobs list --limit ten"));
    assert_false(options_int(&options, OPTION_LIMIT, 50, 1, 100, &value, &err));
}

static void times_are_absolute_or_ago(void **state)
{
    static const struct {
        const char *text;
        int64_t at_ms;
    } ROWS[] = {
        {"15m", 100 * HOUR_MS - HOUR_MS / 4},
        {"2h", 98 * HOUR_MS},
        {"1d", 76 * HOUR_MS},
        {"1970-01-01T01:00:00Z", HOUR_MS},
    };
    struct options options;
    struct sl_err err;
    char line[64];
    int64_t at_ms = -1;
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        (void)snprintf(line, sizeof(line), "events list --since %s", ROWS[i].text);
        assert_true(parse(&options, &err, line));
        assert_true(options_time(&options, OPTION_SINCE, 100 * HOUR_MS, &at_ms, &err));
        assert_true(at_ms == ROWS[i].at_ms);
    }
    assert_true(parse(&options, &err, "events list --since yesterday"));
    assert_false(options_time(&options, OPTION_SINCE, 0, &at_ms, &err));
    assert_non_null(strstr(err.hint, "RFC 3339"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_and_options_may_mix), cmocka_unit_test(after_two_dashes_all_are_words),
        cmocka_unit_test(mistakes_are_named),        cmocka_unit_test(numbers_have_a_range),
        cmocka_unit_test(times_are_absolute_or_ago),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
