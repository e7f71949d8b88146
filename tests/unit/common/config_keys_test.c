/* The table of all keys against deploy/sluice.conf: nobody finds a default there that is none. */
#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/config.h"

static struct sl_config_problem problems[SL_CONFIG_PROBLEMS_MAX];
static size_t problem_count;

/* Whatever the caller has set, of these tests' keys or not. */
static int clear_environment(void **state)
{
    (void)state;
    return clearenv();
}

/* deploy/sluice.conf shows each key, in its section, with its default or as a comment where it has none. */
static void the_default_file_shows_every_key_with_its_default(void **state)
{
    (void)state;
    size_t count;
    const struct sl_config_key *keys = sl_config_all_keys(&count);
    struct sl_config *config = NULL;
    if (!sl_config_load(keys, count, "deploy/sluice.conf", NULL, &config, problems, &problem_count)) {
        fail_msg("%s: %s", problems[0].place, problems[0].text);
    }
    sl_config_destroy(config);
    FILE *file = fopen("deploy/sluice.conf", "r");
    assert_non_null(file);
    static char text[1 << 17];
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    (void)fclose(file);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(keys[i].section, "plan *") == 0 || strcmp(keys[i].section, "region *") == 0) {
            continue;
        }
        char head[64], line[128];
        (void)snprintf(head, sizeof(head), "\n[%s]\n", keys[i].section);
        const char *section = strstr(text, head);
        assert_non_null(section);
        const char *next = strstr(section + 1, "\n[");
        (void)snprintf(line, sizeof(line), keys[i].fallback != NULL ? "\n%s = %s\n" : "\n;%s =\n", keys[i].key,
                       keys[i].fallback);
        const char *found = strstr(section, line);
        if (found == NULL || (next != NULL && found > next)) {
            fail_msg("[%s] has no line %s", keys[i].section, line);
        }
    }
}

static void the_default_plans_are_those_promised(void **state)
{
    (void)state;
    static const struct {
        const char *section;
        int64_t agents, messages_per_day, memory_mb;
        const char *cpu, *backend, *on_subscribe;
    } PLANS[] = {
        {"plan free", 1, 100, 256, "0.25", "github-actions", "nothing"},
        {"plan starter", 3, 1000, 512, "0.5", "provisioner", "provision"},
        {"plan professional", 10, 10000, 2048, "2", "provisioner", "provision"},
        {"plan enterprise", -1, -1, 8192, "4", "provisioner", "provision"},
        {"plan unlimited", -1, -1, 2048, "2", "github-actions", "nothing"},
    };
    size_t count;
    const struct sl_config_key *keys = sl_config_all_keys(&count);
    (void)setenv("STRIPE_PRICE_STARTER", "price_49", 1);
    struct sl_config *config = NULL;
    assert_true(sl_config_load(keys, count, "deploy/sluice.conf", NULL, &config, problems, &problem_count));
    assert_int_equal(sl_config_section_count(config, "plan"), 7);
    for (size_t i = 0; i < SL_ARRAY_LEN(PLANS); i++) {
        const char *section = PLANS[i].section;
        assert_int_equal(sl_config_int(config, section, "agents"), PLANS[i].agents);
        assert_int_equal(sl_config_int(config, section, "messages_per_day"), PLANS[i].messages_per_day);
        assert_int_equal(sl_config_int(config, section, "memory_mb"), PLANS[i].memory_mb);
        assert_string_equal(sl_config_cstr(config, section, "cpu"), PLANS[i].cpu);
        assert_string_equal(sl_config_cstr(config, section, "backend"), PLANS[i].backend);
        assert_string_equal(sl_config_cstr(config, section, "on_subscribe"), PLANS[i].on_subscribe);
    }
    assert_string_equal(sl_config_cstr(config, "plan starter", "price"), "price_49");
    assert_false(sl_config_is_set(config, "plan free", "price"));
    assert_int_equal(sl_config_int(config, "plan solo", "runs"), 50);
    assert_int_equal(sl_config_int(config, "plan workspace", "members"), 10);
    assert_int_equal(sl_config_int(config, "plan workspace", "runs"), 1000);
    sl_config_destroy(config);
}

static void the_table_is_in_order(void **state)
{
    (void)state;
    size_t count;
    const struct sl_config_key *keys = sl_config_all_keys(&count);
    for (size_t i = 0; i < count; i++) {
        assert_true(keys[i].type >= SL_CONFIG_TEXT && keys[i].type < SL_CONFIG_TYPE_COUNT);
        assert_true(keys[i].help != NULL && keys[i].help[0] != '\0');
        assert_int_equal(keys[i].type == SL_CONFIG_CHOICE, keys[i].choices != NULL);
        assert_true(keys[i].min <= keys[i].max);
        for (size_t j = 0; j < i; j++) {
            assert_false(strcmp(keys[i].section, keys[j].section) == 0 && strcmp(keys[i].key, keys[j].key) == 0);
            assert_false(keys[i].env_name != NULL && keys[j].env_name != NULL &&
                         strcmp(keys[i].env_name, keys[j].env_name) == 0);
        }
    }
}

static void defaults_are_good_without_any_file(void **state)
{
    (void)state;
    size_t count;
    const struct sl_config_key *keys = sl_config_all_keys(&count);
    struct sl_config *config = NULL;
    assert_true(sl_config_load(keys, count, NULL, NULL, &config, problems, &problem_count));
    assert_string_equal(sl_config_cstr(config, "ingress", "listen"), "127.0.0.1:8080");
    assert_int_equal(sl_config_section_count(config, "cloud"), 7);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(sl_config_int(config, sl_config_section(config, "cloud", i), "concurrency"), 64);
    }
    sl_config_destroy(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_default_file_shows_every_key_with_its_default, clear_environment),
        cmocka_unit_test_setup(the_default_plans_are_those_promised, clear_environment),
        cmocka_unit_test_setup(the_table_is_in_order, clear_environment),
        cmocka_unit_test_setup(defaults_are_good_without_any_file, clear_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
