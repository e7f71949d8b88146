/* settings_test.c - of console/settings.c: what a configuration must hold, and what is made of it. */
#include "tests/unit/web/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/json.h"
#include "console/settings.h"

static char path[] = "/tmp/sluice-console-test-XXXXXX";

static const char *const VARIABLES[] = {"SLUICE_CONSOLE_TOKEN", "SLUICE_JWT_SECRET", "KAFKA_BROKERS", "DATABASE_URL"};

#define SERVERS "[kafka]\nbrokers = 127.0.0.1:1\n[postgres]\nurl = postgres://127.0.0.1:1/x\n"

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(VARIABLES); i++)
        (void)unsetenv(VARIABLES[i]);
    (void)snprintf(path, sizeof(path), "/tmp/sluice-console-test-XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

static struct settings *load(const char *text, struct settings_problems *problems)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return settings_load(path, NULL, problems);
}

static void plans_are_what_readers_are_shown(void **state)
{
    (void)state;
    struct settings_problems problems;
    int64_t number = 0;
    struct settings *settings =
        load(SERVERS "[plan tiny]\nagents = 2\nmessages_per_day = -1\nmembers = 3\nruns = 4\n", &problems);
    assert_non_null(settings);
    SL_JSON_AUTO *plans = NULL;
    assert_true(sl_json_parse(sl_str_of(settings->plans), 0, &plans, NULL));
    assert_true(sl_json_int(plans, "tiny.agents", &number) && number == 2);
    assert_true(sl_json_int(plans, "tiny.messages_per_day", &number) && number == -1);
    assert_true(sl_json_int(plans, "tiny.members", &number) && number == 3);
    assert_true(sl_json_int(plans, "tiny.runs", &number) && number == 4);
    settings_destroy(settings);
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t count;
        const char *variable;
    } rows[] = {
        {SERVERS, 2, "SLUICE_JWT_SECRET"},
        {SERVERS "[ingress]\njwt_secret = a\n", 1, "SLUICE_CONSOLE_TOKEN"},
        {SERVERS "[console]\ntoken = 0123456789abcdef\n", 1, "SLUICE_JWT_SECRET"},
        {SERVERS "[ingress]\njwt_secret = a\n[console]\ntoken = 0123456789abcdef\n", 0, NULL},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
        struct settings_problems problems;
        const char *warnings[SETTINGS_WARNINGS_MAX];
        struct settings *settings = load(rows[i].text, &problems);
        assert_non_null(settings);
        assert_int_equal(settings_warnings(settings, warnings), rows[i].count);
        if (rows[i].count > 0)
            assert_non_null(strstr(warnings[0], rows[i].variable));
        settings_destroy(settings);
    }
}

static void problems_are_all_told(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place;
    } rows[] = {
        {"[postgres]\nurl = x\n", "KAFKA_BROKERS"},
        {"[kafka]\nbrokers = x\n", "DATABASE_URL"},
        {SERVERS "[console]\nlisten = somewhere\n", "[console] listen"},
        {SERVERS "[console]\ntoken = short\n", "SLUICE_CONSOLE_TOKEN"},
        {SERVERS "[console]\nstreams = 5\nstreams_per_user = 6\n", "[console] streams_per_user"},
        {SERVERS "[console]\nstreams = 10\nmax_connections = 10\n", "[console] max_connections"},
        {SERVERS "[ingress]\njwt_jwks_file = /nonexistent\n", "[ingress] jwt_jwks_file"},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
        struct settings_problems problems;
        assert_null(load(rows[i].text, &problems));
        if (problems.count != 1 || strcmp(problems.items[0].place, rows[i].place) != 0)
            fail_msg("%s: %zu, %s", rows[i].place, problems.count, problems.items[0].place);
    }
    struct settings_problems problems;
    assert_null(load("[console]\nlisten = x\ntoken = short\n", &problems));
    assert_int_equal(problems.count, 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(plans_are_what_readers_are_shown),
        TEST(what_is_missing_is_named),
        TEST(problems_are_all_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
