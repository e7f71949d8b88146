/* Regions and server types: from the default file, and from ones that make no sense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/execute/hosting.h"

/* Loads the default file, with `text` laid over it. */
static bool load(const char *text, struct sl_arena *arena, struct hosting *ret_hosting, struct sl_err *err)
{
    static struct sl_config_problem problems[SL_CONFIG_PROBLEMS_MAX];
    struct sl_config *config = NULL;
    size_t problem_count = 0;
    size_t key_count = 0;
    const struct sl_config_key *keys = sl_config_all_keys(&key_count);
    char path[] = "/tmp/sluice-hosting-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    assert_int_equal(close(file), 0);
    bool loaded = sl_config_load(keys, key_count, "deploy/sluice.conf", path, &config, problems, &problem_count);
    assert_int_equal(unlink(path), 0);
    if (!loaded)
        fail_msg("%s: %s", problems[0].place, problems[0].text);
    bool ok = hosting_load(config, arena, ret_hosting, err);
    sl_config_destroy(config);
    return ok;
}

static void the_default_file_has_regions_and_a_server_type(void **state)
{
    (void)state;
    struct sl_arena *arena = sl_arena_create(65536);
    struct hosting hosting;
    assert_true(load("[plan enterprise]\nserver_type = cpx31\n[region us-east]\nlocations = ash , hil\n", arena,
                     &hosting, NULL));
    const struct hosting_region *region = hosting_region_of(&hosting, "us-east");
    assert_non_null(region);
    assert_int_equal(region->location_count, 2);
    assert_string_equal(region->locations[0], "ash");
    assert_string_equal(region->locations[1], "hil");
    assert_non_null(hosting_region_of(&hosting, "eu-central"));
    assert_null(hosting_region_of(&hosting, "moon"));
    assert_null(hosting_region_of(&hosting, ""));
    assert_string_equal(hosting_server_type(&hosting, "enterprise"), "cpx31");
    assert_string_equal(hosting_server_type(&hosting, "starter"), "cpx11");
    assert_string_equal(hosting_server_type(&hosting, ""), "cpx11");
    assert_string_equal(hosting.image, "ubuntu-24.04");
    assert_string_equal(hosting.tags, "tag:agent");
    assert_int_equal(hosting.key_expiry_s, 600);
    sl_arena_destroy(arena);
}

static void what_makes_no_sense_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"[region moon]\nlocations =\n", "[region moon] has no locations"},
        {"[region moon]\nlocations = a,,b\n", "[region moon] locations holds"},
        {"[region moon]\nlocations = A\n", "[region moon] locations holds"},
        {"[region moon]\nlocations = a,b,c,d,e,f,g,h,i\n", "more than 8 locations"},
        {"[plan starter]\nserver_type = cx 22\n", "[plan starter] server_type is no name"},
        {"[cloud hetzner]\nimage = ../x\n", "[cloud hetzner] image is no name"},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        struct sl_arena *arena = sl_arena_create(65536);
        struct sl_err err = {0};
        struct hosting hosting;
        assert_false(load(cases[i].text, arena, &hosting, &err));
        assert_int_equal(err.error_class, SL_ERR_PERMANENT);
        if (!strstr(err.message, cases[i].error))
            fail_msg("case %zu: \"%s\" without \"%s\"", i, err.message, cases[i].error);
        sl_arena_destroy(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_file_has_regions_and_a_server_type),
        cmocka_unit_test(what_makes_no_sense_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
