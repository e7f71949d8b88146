/* topic_plan_test.c - what the topics shall be, and what counts as weaker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/topic_plan.h"

static struct sl_config *config_of(const char *replication)
{
    size_t key_count;
    size_t problem_count = 0;
    static struct sl_config_problem problems[SL_CONFIG_PROBLEMS_MAX];
    struct sl_config *config = NULL;
    const struct sl_config_key *keys = sl_config_all_keys(&key_count);
    (void)setenv("SLUICE_KAFKA_REPLICATION", replication, 1);
    assert_true(sl_config_load(keys, key_count, NULL, NULL, &config, problems, &problem_count));
    (void)unsetenv("SLUICE_KAFKA_REPLICATION");
    return config;
}

static const char *setting_of(const struct topic_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->setting_count; i++) {
        if (strcmp(plan->settings[i].name, name) == 0)
            return plan->settings[i].value;
    }
    return "";
}

static void the_events_topic_is_the_audit_trail(void **state)
{
    struct topic_plan plans[TOPIC_COUNT];
    struct sl_config *config = config_of("1");
    (void)state;
    topic_plan_make(config, plans);
    sl_config_destroy(config);
    assert_string_equal(plans[0].name, "sluice.events.v1");
    assert_int_equal(plans[0].partitions, 12);
    assert_string_equal(setting_of(&plans[0], "retention.ms"), "34560000000"); /* 400 days */
    assert_string_equal(setting_of(&plans[0], "max.message.bytes"), "2097152");
    assert_string_equal(setting_of(&plans[0], "min.insync.replicas"), "1");
    assert_string_equal(setting_of(&plans[1], "cleanup.policy"), "compact");
    assert_string_equal(setting_of(&plans[1], "retention.ms"), "");
}

static void three_brokers_ask_for_two_in_sync(void **state)
{
    struct topic_plan plans[TOPIC_COUNT];
    struct sl_config *config = config_of("3");
    (void)state;
    topic_plan_make(config, plans);
    sl_config_destroy(config);
    for (size_t i = 0; i < TOPIC_COUNT; i++) {
        assert_int_equal(plans[i].replication, 3);
        assert_string_equal(setting_of(&plans[i], "min.insync.replicas"), "2");
    }
}

static void weaker_is_a_finding_and_stronger_is_not(void **state)
{
    static const struct {
        struct topic_setting wanted;
        const char *actual;
        bool weak;
    } ROWS[] = {
        {{"retention.ms", "1000"}, "999", true},
        {{"retention.ms", "1000"}, "1000", false},
        {{"retention.ms", "1000"}, "-1", false},
        {{"max.message.bytes", "2097152"}, "1048588", true},
        {{"max.message.bytes", "2097152"}, "3000000", false},
        {{"min.insync.replicas", "2"}, "1", true},
        {{"min.insync.replicas", "1"}, "2", false},
        {{"cleanup.policy", "compact"}, "delete", true},
        {{"cleanup.policy", "compact"}, "compact", false},
    };
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        const char *why = topic_plan_weakness(&ROWS[i].wanted, ROWS[i].actual);
        assert_int_equal(why != NULL, ROWS[i].weak);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_events_topic_is_the_audit_trail),
        cmocka_unit_test(three_brokers_ask_for_two_in_sync),
        cmocka_unit_test(weaker_is_a_finding_and_stronger_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
