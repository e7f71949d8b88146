/* Each test writes the files that it wants into a directory of its own and sets the environment by hand. */
#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/config.h"

static char directory[64];
static struct sl_config_problem problems[SL_CONFIG_PROBLEMS_MAX];
static size_t problem_count;

static const struct sl_config_key KEYS[] = {
    {.section = "log", .key = "level", .type = SL_CONFIG_CHOICE, .fallback = "info", .choices = "debug|info|Warn"},
    {.section = "db", .key = "url", .type = SL_CONFIG_SECRET, .env_name = "TEST_DATABASE_URL"},
    {.section = "db", .key = "name", .type = SL_CONFIG_TEXT, .fallback = "sluice"},
    {.section = "policy", .key = "grace", .type = SL_CONFIG_DURATION, .fallback = "7d", .min = 1000, .max = 864000000},
    {.section = "policy", .key = "wait", .type = SL_CONFIG_DURATION},
    {.section = "policy", .key = "free", .type = SL_CONFIG_SWITCH, .fallback = "off"},
    {.section = "policy", .key = "count", .type = SL_CONFIG_INT, .fallback = "3", .min = -1, .max = 10},
    {.section = "policy", .key = "size", .type = SL_CONFIG_SIZE, .fallback = "1MiB", .min = 1024, .max = 1073741824},
    {.section = "plan *", .key = "price", .type = SL_CONFIG_TEXT},
    {.section = "plan *", .key = "agents", .type = SL_CONFIG_INT, .fallback = "1"},
    {.section = "cloud *", .key = "timeout", .type = SL_CONFIG_DURATION, .fallback = "30s"},
    {.section = "cloud hetzner", .key = "token", .type = SL_CONFIG_SECRET, .env_name = "TEST_TOKEN"},
    {.section = "cloud github", .key = "owner", .type = SL_CONFIG_TEXT},
};

static void path_of(const char *name, char ret_path[128])
{
    (void)snprintf(ret_path, 128, "%s/%s", directory, name);
}

static void write_bytes(const char *name, const void *bytes, size_t len)
{
    char path[128];
    path_of(name, path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void write_file(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

static void set_path(const char *variable, const char *name)
{
    char path[128];
    path_of(name, path);
    assert_int_equal(setenv(variable, path, 1), 0);
}

static struct sl_config *load_files(const char *base, const char *overlay)
{
    char paths[2][128];
    path_of(base != NULL ? base : "", paths[0]);
    path_of(overlay != NULL ? overlay : "", paths[1]);
    struct sl_config *config = (struct sl_config *)(uintptr_t)1;
    const bool good = sl_config_load(KEYS, SL_ARRAY_LEN(KEYS), base != NULL ? paths[0] : NULL,
                                     overlay != NULL ? paths[1] : NULL, &config, problems, &problem_count);
    assert_int_equal(good, problem_count == 0);
    assert_int_equal(good, config != NULL);
    return config;
}

/* Loads a file of this text, and expects it to be good. */
static struct sl_config *load(const char *text)
{
    write_file("base.conf", text);
    struct sl_config *config = load_files("base.conf", NULL);
    if (config == NULL) {
        fail_msg("%s: %s", problems[0].place, problems[0].text);
    }
    return config;
}

/* Expects one problem, at `place` ("base.conf:3" or a variable), that says `text`. */
static void assert_problem(size_t index, const char *place, const char *text)
{
    assert_true(index < problem_count);
    const char *slash = strrchr(problems[index].place, '/');
    const char *name = slash != NULL ? slash + 1 : problems[index].place;
    if (strcmp(name, place) != 0 || strstr(problems[index].text, text) == NULL) {
        fail_msg("instead of \"%s\" at %s: %s: %s", text, place, problems[index].place, problems[index].text);
    }
}

static void assert_refused(const char *text, const char *place, const char *reason)
{
    write_file("base.conf", text);
    assert_null(load_files("base.conf", NULL));
    assert_problem(0, place, reason);
    assert_int_equal(problem_count, 1);
}

static int set_up(void **state)
{
    (void)state;
    return clearenv();
}

static void defaults_stand_without_any_file(void **state)
{
    (void)state;
    struct sl_config *config = load_files(NULL, NULL);
    assert_non_null(config);
    assert_string_equal(sl_config_cstr(config, "log", "level"), "info");
    assert_int_equal(sl_config_int(config, "policy", "grace"), 604800000);
    assert_int_equal(sl_config_int(config, "policy", "wait"), 0);
    assert_int_equal(sl_config_int(config, "policy", "size"), 1048576);
    assert_int_equal(sl_config_int(config, "cloud hetzner", "timeout"), 30000);
    assert_false(sl_config_switch(config, "policy", "free"));
    assert_false(sl_config_is_set(config, "db", "url"));
    assert_string_equal(sl_config_cstr(config, "db", "url"), "");
    assert_str_is(sl_config_text(config, "db", "name"), "sluice");
    assert_int_equal(sl_config_section_count(config, "plan"), 0);
    sl_config_destroy(config);
    sl_config_destroy(NULL);
}

static void a_file_sets_what_it_names(void **state)
{
    (void)state;
    struct sl_config *config = load("\xEF\xBB\xBF; a comment\n# another\n\n[policy] ; of ours\r\ngrace = 3d ; not 7\r\n"
                                    "  free=ON\ncount : -1\nsize=64KiB\nwait = 250ms\n"
                                    "[log]\nlevel = WARN\n[policy]\ncount = 2\n[db]\nname = a;b#c");
    assert_int_equal(sl_config_int(config, "policy", "grace"), 259200000);
    assert_true(sl_config_switch(config, "policy", "free"));
    assert_int_equal(sl_config_int(config, "policy", "count"), 2); /* the section again: the last counts */
    assert_int_equal(sl_config_int(config, "policy", "size"), 65536);
    assert_int_equal(sl_config_int(config, "policy", "wait"), 250);
    assert_string_equal(sl_config_cstr(config, "log", "level"), "Warn"); /* as the table spells it */
    assert_string_equal(sl_config_cstr(config, "db", "name"), "a;b#c");
    sl_config_destroy(config);
}

static void named_sections_are_any_number(void **state)
{
    (void)state;
    struct sl_config *config =
        load("[plan starter]\nprice = price_1\n[plan pro-team]\nagents = 5\n[plan *]\nagents = 2\n"
             "[plan empty]\n[cloud *]\ntimeout = 9s\n[cloud github]\ntimeout = 4s\n");
    assert_int_equal(sl_config_section_count(config, "plan"), 3);
    assert_string_equal(sl_config_section(config, "plan", 0), "plan starter");
    assert_string_equal(sl_config_section(config, "plan", 1), "plan pro-team");
    assert_string_equal(sl_config_section(config, "plan", 2), "plan empty");
    assert_string_equal(sl_config_cstr(config, "plan starter", "price"), "price_1");
    assert_int_equal(sl_config_int(config, "plan starter", "agents"), 2);
    assert_int_equal(sl_config_int(config, "plan pro-team", "agents"), 5);
    assert_int_equal(sl_config_section_count(config, "cloud"), 2);
    assert_string_equal(sl_config_section(config, "cloud", 0), "cloud github");
    assert_string_equal(sl_config_section(config, "cloud", 1),
                        "cloud hetzner"); /* in no file, and there all the same */
    assert_int_equal(sl_config_int(config, "cloud github", "timeout"), 4000);
    assert_int_equal(sl_config_int(config, "cloud hetzner", "timeout"), 9000);
    assert_int_equal(sl_config_section_count(config, "pla"), 0);
    sl_config_destroy(config);
}

static void each_source_goes_before_the_next(void **state)
{
    (void)state;
    write_file("base.conf", "[db]\nurl = base\nname = base\n[policy]\ngrace = 1d\n[plan pro-team]\nagents = 1\n");
    write_file("overlay.conf", "[db]\nname = overlay\n[policy]\ngrace = 2d\n[plan pro-team]\nprice = p\n");
    struct sl_config *config = load_files("base.conf", "overlay.conf");
    assert_string_equal(sl_config_cstr(config, "db", "url"), "base");
    assert_string_equal(sl_config_cstr(config, "db", "name"), "overlay");
    assert_int_equal(sl_config_int(config, "policy", "grace"), 172800000);
    assert_string_equal(sl_config_cstr(config, "plan pro-team", "price"), "p");
    assert_int_equal(sl_config_int(config, "plan pro-team", "agents"), 1);
    sl_config_destroy(config);

    (void)setenv("TEST_DATABASE_URL", "well-known", 1);
    (void)setenv("SLUICE_POLICY_GRACE", "3s", 1);
    (void)setenv("SLUICE_PLAN_PRO_TEAM_AGENTS", "7", 1);
    (void)setenv("SLUICE_DB_NAME", "", 1); /* empty is as good as unset */
    config = load_files("base.conf", "overlay.conf");
    assert_string_equal(sl_config_cstr(config, "db", "url"), "well-known");
    assert_string_equal(sl_config_cstr(config, "db", "name"), "overlay");
    assert_int_equal(sl_config_int(config, "policy", "grace"), 3000);
    assert_int_equal(sl_config_int(config, "plan pro-team", "agents"), 7);
    sl_config_destroy(config);

    (void)setenv("SLUICE_DB_URL", "own", 1);
    config = load_files("base.conf", "overlay.conf");
    assert_string_equal(sl_config_cstr(config, "db", "url"), "own");
    sl_config_destroy(config);
}

static void secrets_come_from_files_too(void **state)
{
    (void)state;
    write_file("secret", "two words\r\n\n");
    write_file("empty", "\n");
    write_file("grace", "5s\n");
    set_path("TEST_DATABASE_URL_FILE", "secret");
    set_path("TEST_TOKEN_FILE", "empty");
    set_path("SLUICE_POLICY_GRACE_FILE", "grace");
    struct sl_config *config = load("[db]\nurl = base\n[cloud hetzner]\ntoken = base\n");
    assert_string_equal(sl_config_cstr(config, "db", "url"), "two words");
    assert_string_equal(sl_config_cstr(config, "cloud hetzner", "token"), "base"); /* an empty file is none */
    assert_int_equal(sl_config_int(config, "policy", "grace"), 5000);
    sl_config_destroy(config);
}

static void variables_are_expanded(void **state)
{
    (void)state;
    (void)setenv("TEST_X", "${not again}", 1);
    struct sl_config *config = load("[db]\nname = a${TEST_X}b$c$${TEST_X}\nurl = ${TEST_UNSET_FOR_SURE}\n[policy]\n"
                                    "grace = ${TEST_UNSET_FOR_SURE}\nwait =\n[log]\nlevel =\n");
    assert_string_equal(sl_config_cstr(config, "db", "name"), "a${not again}b$c$${not again}");
    assert_false(sl_config_is_set(config, "db", "url"));
    assert_int_equal(sl_config_int(config, "policy", "grace"), 604800000); /* empty: the default */
    assert_string_equal(sl_config_cstr(config, "log", "level"), "info");
    sl_config_destroy(config);

    (void)unsetenv("TEST_X");
    write_file("x", "from a file\n");
    set_path("TEST_X_FILE", "x");
    config = load("[db]\nname = ${TEST_X}!\n");
    assert_string_equal(sl_config_cstr(config, "db", "name"), "from a file!");
    sl_config_destroy(config);
}

static void every_mistake_is_told_with_its_line(void **state)
{
    (void)state;
    write_file("base.conf", "stray = 1\n"        /* 1 */
                            "[policy]\n"         /* 2 */
                            "grace = 3 weeks\n"  /* 3 */
                            "graec = 3d\n"       /* 4 */
                            "what is this\n"     /* 5 */
                            "count = 11\n"       /* 6 */
                            "[policies]\n"       /* 7 */
                            "grace = nonsense\n" /* 8: one mistake, not two */
                            "[log\n"             /* 9 */
                            "level = nonsense\n" /* 10: likewise */
                            "[log]\n"            /* 11 */
                            "level = loud\n"     /* 12 */
                            "[policy] x\n"       /* 13 */
                            "[plan A b]\n"       /* 14 */
                            "[cloud aws]\n"      /* 15 */
                            "[db]\n"             /* 16 */
                            "name = 1\n"         /* 17 */
                            "name = 2\n"         /* 18 */
                            "url = ${X\n");      /* 19 */
    write_file("overlay.conf", "[policy]\nfree = maybe\nsize = 12kb\n");
    assert_null(load_files("base.conf", "overlay.conf"));
    static const struct {
        const char *place;
        const char *text;
    } EXPECTED[] = {
        {"base.conf:1", "before the first [section]"},
        {"base.conf:4", "[policy] has no key \"graec\""},
        {"base.conf:5", "no entry"},
        {"base.conf:6", "count: \"11\" is out of range: from -1 to 10"},
        {"base.conf:7", "no section [policies]"},
        {"base.conf:9", "this is no section"},
        {"base.conf:12", "level: \"loud\" is none of debug|info|Warn"},
        {"base.conf:13", "this is no section"},
        {"base.conf:14", "no section [plan A b]"},
        {"base.conf:15", "no section [cloud aws]"},
        {"base.conf:18", "\"name\" is set twice, before in line 17"},
        {"base.conf:19", "write ${NAME}"},
        {"overlay.conf:2", "free: \"maybe\" is no switch: write on or off"},
        {"overlay.conf:3", "size: \"12kb\" is no size"},
    };
    assert_problem(1, "base.conf:3", "grace: \"3 weeks\" is no duration");
    for (size_t i = 0; i < SL_ARRAY_LEN(EXPECTED); i++) {
        assert_problem(i == 0 ? 0 : i + 1, EXPECTED[i].place, EXPECTED[i].text);
    }
    assert_int_equal(problem_count, SL_ARRAY_LEN(EXPECTED) + 1);
}

static void values_are_judged_by_their_type(void **state)
{
    (void)state;
    static const struct {
        const char *entry;
        const char *reason; /* NULL: good */
    } CASES[] = {
        {"grace = 1s", NULL},
        {"grace = 10d", NULL},
        {"grace = 90 m", NULL},
        {"grace = 999ms", "out of range: from 1s to 10d"},
        {"grace = 11d", "out of range"},
        {"grace = 0", "out of range"},
        {"wait = 0", NULL},
        {"wait = 5", "no duration"},
        {"wait = s", "no duration"},
        {"wait = 1.5s", "no duration"},
        {"wait = -1s", "no duration"},
        {"wait = 1S", "no duration"},
        {"wait = 1h30m", "no duration"},
        {"wait = 106751991168d", "no duration"}, /* beyond int64 */
        {"wait = 99999999999999999999ms", "no duration"},
        {"size = 1024", NULL},
        {"size = 1024B", NULL},
        {"size = 1 GiB", NULL},
        {"size = 1023", "out of range: from 1KiB to 1GiB"},
        {"size = 1MB", "no size"},
        {"size = 8589934592GiB", "no size"},
        {"count = -1", NULL},
        {"count = -2", "out of range: from -1 to 10"},
        {"count = 3.0", "no whole number"},
        {"count = three", "no whole number"},
        {"free = true", NULL},
        {"free = No", NULL},
        {"free = 1", "no switch"},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(CASES); i++) {
        char text[128];
        (void)snprintf(text, sizeof(text), "[policy]\n%s\n", CASES[i].entry);
        if (CASES[i].reason == NULL) {
            sl_config_destroy(load(text));
        } else {
            assert_refused(text, "base.conf:2", CASES[i].reason);
        }
    }
}

static void bad_variables_are_named(void **state)
{
    (void)state;
    (void)setenv("SLUICE_POLICY_GRACE", "soon", 1);
    assert_null(load_files(NULL, NULL));
    assert_problem(0, "SLUICE_POLICY_GRACE", "\"soon\" is no duration");
    assert_int_equal(problem_count, 1);
    (void)unsetenv("SLUICE_POLICY_GRACE");

    write_file("secret", "hush");
    set_path("TEST_TOKEN_FILE", "secret");
    (void)setenv("TEST_TOKEN", "hush", 1);
    assert_null(load_files(NULL, NULL));
    assert_problem(0, "TEST_TOKEN", "TEST_TOKEN and TEST_TOKEN_FILE are both set");
    assert_null(strstr(problems[0].text, "hush"));
    (void)unsetenv("TEST_TOKEN");

    set_path("TEST_TOKEN_FILE", "no such file");
    assert_null(load_files(NULL, NULL));
    assert_problem(0, "TEST_TOKEN_FILE", "can't be opened: No such file");

    set_path("TEST_TOKEN_FILE", "");
    assert_null(load_files(NULL, NULL));
    assert_problem(0, "TEST_TOKEN_FILE", "can't be read: Is a directory");

    write_bytes("nul", "a\0b", 3);
    set_path("TEST_TOKEN_FILE", "nul");
    assert_null(load_files(NULL, NULL));
    assert_problem(0, "TEST_TOKEN_FILE", "has a NUL byte");

    char *large = calloc(1, 70000);
    memset(large, 'x', 69999);
    write_file("large", large);
    set_path("TEST_TOKEN_FILE", "large");
    assert_null(load_files(NULL, NULL));
    assert_problem(0, "TEST_TOKEN_FILE", "is longer than 65536 bytes");
    free(large);
}

static void a_bad_variable_in_a_value_is_told_at_both_places(void **state)
{
    (void)state;
    set_path("TEST_X_FILE", "no such file");
    write_file("base.conf", "[db]\nname = ${TEST_X}\nurl = ${TEST_X}\n");
    assert_null(load_files("base.conf", NULL));
    assert_int_equal(problem_count, 3); /* the file's once, though used twice */
    size_t of_variable = strstr(problems[0].place, "TEST_X_FILE") != NULL ? 0 : 2;
    assert_problem(of_variable, "TEST_X_FILE", "can't be opened");
    assert_problem(of_variable == 0 ? 1 : 0, "base.conf:2", "${TEST_X} can't be had");
    assert_problem(of_variable == 0 ? 2 : 1, "base.conf:3", "${TEST_X} can't be had");
}

static void bad_files_are_named(void **state)
{
    (void)state;
    (void)unlink("base.conf");
    assert_null(load_files("nowhere.conf", NULL));
    assert_problem(0, "nowhere.conf", "the configuration file can't be opened: No such file");
    write_bytes("base.conf", "[db]\nname = a\0b\n", 16);
    assert_null(load_files("base.conf", NULL));
    assert_problem(0, "base.conf", "has a NUL byte");
    assert_refused("[db]\nname = \xFF\n", "base.conf:2", "not UTF-8");
    assert_refused("[]\n", "base.conf:1", "no section");
    assert_refused("[plan ]\n", "base.conf:1", "no section");
    assert_refused("[plan 0123456789012345678901234567890123456789012345]\n", "base.conf:1", "no section");
    assert_refused("[db]\n= value\n", "base.conf:2", "has no key");
}

static void lines_may_be_long_but_not_endless(void **state)
{
    (void)state;
    char *text = calloc(1, 20000);
    (void)snprintf(text, 20000, "[db]\nname = ");
    memset(text + strlen(text), 'n', 150);
    struct sl_config *config = load(text);
    assert_int_equal(sl_config_text(config, "db", "name").len, 150);
    sl_config_destroy(config);
    memset(text + strlen(text), 'n', 10000);
    assert_refused(text, "base.conf:2", "this line is longer than");
    free(text);
}

static void problems_are_bounded(void **state)
{
    (void)state;
    struct sl_buf text;
    sl_buf_init(&text, 100000);
    for (int i = 0; i < 200; i++) {
        assert_true(sl_buf_printf(&text, "[nothing %d]\n", i));
    }
    write_file("base.conf", text.data);
    sl_buf_deinit(&text);
    assert_null(load_files("base.conf", NULL));
    assert_int_equal(problem_count, SL_CONFIG_PROBLEMS_MAX);
    assert_problem(63, "base.conf:64", "[nothing 63]");
}

static void messages_are_fit_for_a_terminal_and_show_no_secret(void **state)
{
    (void)state;
    assert_refused("[policy]\ngrace = \x1B[31m\x7F\n", "base.conf:2", "\"?[31m?\" is no duration");
    assert_refused("[pol\x1Bicy]\n", "base.conf:1", "there is no section [pol?icy]");
    assert_refused("[policy]\n\x08grace = 1h\n", "base.conf:2", "[policy] has no key \"?grace\"");
    (void)setenv("TEST_DATABASE_URL", "postgres://u:hush@h/d", 1);
    (void)setenv("SLUICE_LOG_LEVEL", "loud", 1);
    assert_null(load_files(NULL, NULL));
    for (size_t i = 0; i < problem_count; i++) {
        assert_null(strstr(problems[i].text, "hush"));
    }
}

static void another_programs_keys_are_no_mistake(void **state)
{
    (void)state;
    struct sl_config *config = load("[worker]\nlease = whatever it likes\n[policy]\nheartbeat = 1s\n");
    sl_config_destroy(config);
}

static void ask_unknown(void *config)
{
    (void)sl_config_text(config, "db", "nothing");
}

static void ask_number_of_text(void *config)
{
    (void)sl_config_int(config, "db", "name");
}

static void asking_for_what_is_not_in_the_table_stops_the_process(void **state)
{
    (void)state;
    struct sl_config *config = load_files(NULL, NULL);
    assert_aborts(ask_unknown, config);
    assert_aborts(ask_number_of_text, config);
    sl_config_destroy(config);
}

static int make_directory(void **state)
{
    (void)state;
    (void)snprintf(directory, sizeof(directory), "/tmp/sluice-config-XXXXXX");
    return mkdtemp(directory) != NULL ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"base.conf", "overlay.conf", "secret", "empty", "grace", "x", "nul", "large"};
    for (size_t i = 0; i < SL_ARRAY_LEN(NAMES); i++) {
        char path[128];
        path_of(NAMES[i], path);
        (void)unlink(path);
    }
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(defaults_stand_without_any_file, set_up),
        cmocka_unit_test_setup(a_file_sets_what_it_names, set_up),
        cmocka_unit_test_setup(named_sections_are_any_number, set_up),
        cmocka_unit_test_setup(each_source_goes_before_the_next, set_up),
        cmocka_unit_test_setup(secrets_come_from_files_too, set_up),
        cmocka_unit_test_setup(variables_are_expanded, set_up),
        cmocka_unit_test_setup(every_mistake_is_told_with_its_line, set_up),
        cmocka_unit_test_setup(values_are_judged_by_their_type, set_up),
        cmocka_unit_test_setup(bad_variables_are_named, set_up),
        cmocka_unit_test_setup(a_bad_variable_in_a_value_is_told_at_both_places, set_up),
        cmocka_unit_test_setup(bad_files_are_named, set_up),
        cmocka_unit_test_setup(lines_may_be_long_but_not_endless, set_up),
        cmocka_unit_test_setup(problems_are_bounded, set_up),
        cmocka_unit_test_setup(messages_are_fit_for_a_terminal_and_show_no_secret, set_up),
        cmocka_unit_test_setup(another_programs_keys_are_no_mistake, set_up),
        cmocka_unit_test_setup(asking_for_what_is_not_in_the_table_stops_the_process, set_up),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
