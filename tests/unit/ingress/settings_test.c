/* settings_test.c - of ingress/settings.c: what a configuration must hold, and what it lacks. */
#include "tests/unit/web/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ingress/settings.h"

static char path[] = "/tmp/sluice-settings-test-XXXXXX";

static const char *const VARIABLES[] = {"STRIPE_WEBHOOK_SECRET",    "GITHUB_WEBHOOK_SECRET", "GITHUB_CALLBACK_SECRET",
                                        "DASHBOARD_WEBHOOK_SECRET", "SLUICE_JWT_SECRET",     "KAFKA_BROKERS",
                                        "SLUICE_DATA_KEYS"};

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(VARIABLES); i++)
        (void)unsetenv(VARIABLES[i]);
    (void)snprintf(path, sizeof(path), "/tmp/sluice-settings-test-XXXXXX");
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

#define BROKERS "[kafka]\nbrokers = 127.0.0.1:1\n"

static void defaults_are_the_contracts(void **state)
{
    (void)state;
    struct settings_problems problems;
    char warnings[SETTINGS_WARNINGS_MAX][SETTINGS_WARNING_BYTES];
    struct settings *settings = load(BROKERS, &problems);
    assert_non_null(settings);
    assert_int_equal(settings->body_bytes_max, 1048576);
    assert_int_equal(settings->tolerance_s[SOURCE_STRIPE], 300);
    assert_int_equal(settings->tolerance_s[SOURCE_DASHBOARD], 300);
    assert_int_equal(settings->limits.early_access_per_minute, 10);
    assert_int_equal(settings->limits.rate_per_address, 0);
    assert_int_equal(settings_warnings(settings, warnings), 6); /* every source but early access, and the data keys */
    assert_non_null(strstr(warnings[0], "STRIPE_WEBHOOK_SECRET"));
    settings_release(settings);
}

static void secrets_are_lists(void **state)
{
    (void)state;
    struct settings_problems problems;
    char warnings[SETTINGS_WARNINGS_MAX][SETTINGS_WARNING_BYTES];
    assert_int_equal(setenv("STRIPE_WEBHOOK_SECRET", "whsec_a, whsec_b", 1), 0);
    assert_int_equal(setenv("SLUICE_JWT_SECRET", "s", 1), 0);
    struct settings *settings = load(BROKERS, &problems);
    assert_non_null(settings);
    assert_int_equal(settings->secrets[SOURCE_STRIPE].count, 2);
    assert_int_equal(settings->jwt.secrets.count, 1);
    assert_int_equal(settings_warnings(settings, warnings), 4); /* SLUICE_DATA_KEYS is the fourth */
    settings_release(settings);
}

static void every_problem_is_told_at_once(void **state)
{
    (void)state;
    struct settings_problems problems;
    assert_int_equal(setenv("DASHBOARD_WEBHOOK_SECRET", "whsec_***", 1), 0);
    assert_int_equal(setenv("SLUICE_DATA_KEYS", "k1:***", 1), 0);
    struct settings *settings = load("[ingress]\nlisten = nowhere\ntrusted_proxies = 10.0.0.0/99\n"
                                     "jwt_jwks_file = /nonexistent/jwks.json\n",
                                     &problems);
    assert_null(settings);
    assert_int_equal(problems.count, 6);
    for (size_t i = 0; i < problems.count; i++)
        assert_null(strstr(problems.items[i].text, "***")); /* never a secret's value */
}

static void holders_keep_theirs_over_a_reload(void **state)
{
    (void)state;
    struct settings_problems problems;
    assert_int_equal(setenv("GITHUB_WEBHOOK_SECRET", "old", 1), 0);
    struct settings_store *store = settings_store_create(load(BROKERS, &problems));
    struct settings *before = settings_current(store);
    assert_int_equal(setenv("GITHUB_WEBHOOK_SECRET", "new,old", 1), 0);
    settings_replace(store, load(BROKERS, &problems));
    struct settings *after = settings_current(store);
    assert_int_equal(before->secrets[SOURCE_GITHUB].count, 1);
    assert_int_equal(after->secrets[SOURCE_GITHUB].count, 2);
    settings_release(before);
    settings_release(after);
    settings_store_destroy(store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(defaults_are_the_contracts), TEST(secrets_are_lists),
                                       TEST(every_problem_is_told_at_once), TEST(holders_keep_theirs_over_a_reload)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
