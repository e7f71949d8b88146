/* rulebook_test.c - the shape of the table: every type has an answer, every name is there once, every row says what
 * it does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/world.h"

static void test_every_type_ends_with_a_row_that_always_matches(void **state)
{
    (void)state;
    size_t count = 0;
    const struct rule *rows = rulebook_rows(&count);
    for (int type = 0; type < INPUT_TYPE_COUNT; type++) {
        const struct rule *last = NULL;
        for (size_t i = 0; i < count; i++) {
            if ((int)rows[i].type != type)
                continue;
            /* A row behind one that always matches would be dead. */
            assert_true(!last || last->when);
            last = &rows[i];
        }
        assert_non_null(last);
        assert_null(last->when);
        assert_non_null(last->then);
    }
}

static void test_names_are_unique_and_well_formed(void **state)
{
    (void)state;
    size_t count = 0;
    const struct rule *rows = rulebook_rows(&count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(strspn(rows[i].name, "abcdefghijklmnopqrstuvwxyz_."), strlen(rows[i].name));
        assert_non_null(strchr(rows[i].name, '.'));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(rows[i].name, rows[j].name);
    }
}

static void test_every_row_is_documented(void **state)
{
    (void)state;
    size_t count = 0;
    const struct rule *rows = rulebook_rows(&count);
    for (size_t i = 0; i < count; i++) {
        assert_true(strlen(rows[i].condition) > 0 && strlen(rows[i].effect) > 0);
        assert_true(rows[i].when || strcmp(rows[i].condition, "always") == 0 ||
                    strncmp(rows[i].condition, "else", 4) == 0);
    }
}

static void test_the_agent_concerned_is_part_of_the_outcome(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    (void)world_agent(&world, 'A', AGENT_PROVISIONING);
    (void)world_job(&world, 'J', JOB_PROVISION, JOB_WAITING, 'A');
    struct input input = world_input(INPUT_CALLBACK_HEARTBEAT, SL_STR("e"), 1000);
    input.as.callback = (struct input_callback){.job_id = world_id('J'), .run_id = SL_STR("7")};
    assert_true(sl_uuid_equal(world_decide(&world, &input)->agent_id, world_id('A')));
    input.as.callback.job_id = world_id('K');
    assert_true(sl_uuid_is_nil(world_decide(&world, &input)->agent_id));
    input = world_input(INPUT_AGENT_STOP, SL_STR("e"), 1000);
    input.as.agent.agent_id = world_id('A');
    assert_true(sl_uuid_equal(world_decide(&world, &input)->agent_id, world_id('A')));
    input = world_input(INPUT_AGENT_CREATE, SL_STR("e"), 1000);
    const struct plan *created = world_decide(&world, &input);
    assert_true(sl_uuid_equal(created->agent_id, created->agents[0].id));
    assert_false(sl_uuid_is_nil(created->agent_id));
    world_deinit(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type_ends_with_a_row_that_always_matches),
        cmocka_unit_test(test_names_are_unique_and_well_formed),
        cmocka_unit_test(test_every_row_is_documented),
        cmocka_unit_test(test_the_agent_concerned_is_part_of_the_outcome),
    };
    return cmocka_run_group_tests_name("rulebook", tests, NULL, NULL);
}
