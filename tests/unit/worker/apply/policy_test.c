/* The default configuration is the contract's section 8. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/cmocka_all.h"
#include "worker/apply/policy.h"

static struct sl_config *load(const char *path, const char *overlay)
{
    static struct sl_config_problem problems[SL_CONFIG_PROBLEMS_MAX];
    struct sl_config *config = NULL;
    size_t problem_count = 0;
    size_t key_count = 0;
    const struct sl_config_key *keys = sl_config_all_keys(&key_count);
    assert_true(sl_config_load(keys, key_count, path, overlay, &config, problems, &problem_count));
    return config;
}

static void the_defaults_are_the_contracts(void **state)
{
    static const struct {
        const char *name;
        int agents, messages, memory_mb;
        double cpu;
        bool on_subscribe, is_workspace;
    } ROWS[] = {
        {"free", 1, 100, 256, 0.25, false, false},         {"starter", 3, 1000, 512, 0.5, true, false},
        {"professional", 10, 10000, 2048, 2, true, false}, {"enterprise", -1, -1, 8192, 4, true, false},
        {"unlimited", -1, -1, 2048, 2, false, false},      {"solo", 1, 100, 256, 0.25, false, true},
        {"workspace", 1, 100, 256, 0.25, false, true},
    };
    struct sl_err err = {0};
    (void)state;
    assert_int_equal(setenv("STRIPE_PRICE_STARTER", "price_s", 1), 0);
    struct sl_config *config = load("deploy/sluice.conf", NULL);
    struct policy_set *set = policy_create(config, &err);
    assert_non_null(set);
    sl_config_destroy(config); /* the policy has copies */
    const struct policy *policy = policy_borrow(set);
    assert_false(policy->free_tier);
    assert_true(policy->checkout_provisions);
    assert_int_equal(policy->on_payment_failed, ON_PAYMENT_FAILED_STOP);
    assert_int_equal(policy->on_subscription_deleted, ON_SUBSCRIPTION_DELETED_DESTROY);
    assert_int_equal(policy->heartbeat_ms, 60000);
    assert_int_equal(policy->heartbeats_missed_max, 3);
    assert_int_equal(policy->provision_timeout_ms, 1800000);
    assert_str_is(policy->default_region, "us-east");
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        const struct offer *offer = NULL;
        for (size_t o = 0; o < policy->offer_count && !offer; o++)
            offer = sl_str_is(policy->offers[o].name, ROWS[i].name) ? &policy->offers[o] : NULL;
        assert_non_null(offer);
        assert_int_equal(offer->max_agents, ROWS[i].agents);
        assert_int_equal(offer->max_messages_per_day, ROWS[i].messages);
        assert_int_equal(offer->memory_mb, ROWS[i].memory_mb);
        assert_true(offer->cpu == ROWS[i].cpu);
        assert_int_equal(offer->on_subscribe_provision, ROWS[i].on_subscribe);
        assert_int_equal(offer->is_workspace, ROWS[i].is_workspace);
    }
    assert_str_is(policy_offer_of_price(policy, SL_STR("price_s"))->name, "starter");
    assert_str_is(policy_offer_of_price(policy, SL_STR("price_nobody_named"))->name, "free");
    policy_destroy(set);
}

static void a_cpu_that_is_no_number_is_refused(void **state)
{
    static const char *const CPUS[] = {"much", "1x", "0", "-2"};
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(CPUS); i++) {
        char path[] = "/tmp/policy_test.XXXXXX";
        int fd = mkstemp(path);
        struct sl_err err = {0};
        assert_true(fd >= 0);
        assert_true(dprintf(fd, "[plan odd]\ncpu = %s\n", CPUS[i]) > 0);
        (void)close(fd);
        struct sl_config *config = load(NULL, path);
        assert_null(policy_create(config, &err));
        assert_int_equal(err.error_class, SL_ERR_PERMANENT);
        assert_non_null(strstr(err.message, "plan odd"));
        sl_config_destroy(config);
        (void)unlink(path);
    }
}

static void data_keys_come_with_it_or_are_refused(void **state)
{
    struct sl_err err = {0};
    (void)state;
    struct sl_config *config = load(NULL, NULL);
    struct policy_set *set = policy_create(config, &err);
    assert_non_null(set);
    assert_true(sl_seal_ring_is_empty(policy_borrow_ring(set)));
    policy_destroy(set);
    sl_config_destroy(config);
    assert_int_equal(setenv("SLUICE_DATA_KEYS", "k:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", 1), 0);
    config = load(NULL, NULL);
    set = policy_create(config, &err);
    assert_non_null(set);
    assert_false(sl_seal_ring_is_empty(policy_borrow_ring(set)));
    policy_destroy(set);
    sl_config_destroy(config);
    assert_int_equal(setenv("SLUICE_DATA_KEYS", "k:c2hvcnQ=", 1), 0);
    config = load(NULL, NULL);
    assert_null(policy_create(config, &err));
    assert_non_null(strstr(err.message, "data key 1"));
    assert_null(strstr(err.message, "c2hv"));
    sl_config_destroy(config);
    assert_int_equal(unsetenv("SLUICE_DATA_KEYS"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_are_the_contracts),
        cmocka_unit_test(data_keys_come_with_it_or_are_refused),
        cmocka_unit_test(a_cpu_that_is_no_number_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
