/* The checkout that a user waits for: written and read back alike, and anything else is none. */
#include "tests/unit/cmocka_all.h"
#include "worker/apply/pending.h"

#define JOB "6f9619ff-8b86-d011-b42d-00cf4fc964ff"

static void what_is_written_is_read(void **state)
{
    static const char *const TEXTS[] = {
        "{\"job_id\":\"" JOB "\",\"session_id\":\"cs_1\",\"plan\":\"workspace\",\"workspace_name\":\"\xc3\x9cns\\\"\","
        "\"shared_workflow_ids\":[\"a\",\"b\\n\"]}",
        "{\"job_id\":\"" JOB "\",\"plan\":\"workspace\",\"shared_workflow_ids\":[]}",
    };
    struct sl_arena *arena = sl_arena_create(1024 * 1024);
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(TEXTS); i++) {
        struct user user = {0};
        pending_read(sl_str_of(TEXTS[i]), arena, &user);
        assert_false(sl_uuid_is_nil(user.pending_job_id));
        assert_str_is(pending_write(&user, arena), TEXTS[i]);
    }
    struct user user = {0};
    pending_read(sl_str_of(TEXTS[0]), arena, &user);
    assert_str_is(user.pending_session_id, "cs_1");
    assert_str_is(user.pending_plan, "workspace");
    assert_str_is(user.pending_workspace_name, "\xc3\x9cns\"");
    assert_int_equal(user.pending_workflow_count, 2);
    assert_str_is(user.pending_workflow_ids[1], "b\n");
    sl_arena_destroy(arena);
}

static void anything_else_is_none(void **state)
{
    static const char *const TEXTS[] = {"", "{}", "[]", "{", "null", "{\"job_id\":\"x\",\"plan\":\"workspace\"}"};
    struct sl_arena *arena = sl_arena_create(1024 * 1024);
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(TEXTS); i++) {
        struct user user = {0};
        pending_read(sl_str_of(TEXTS[i]), arena, &user);
        assert_true(sl_uuid_is_nil(user.pending_job_id));
        assert_true(sl_str_empty(user.pending_plan));
        assert_true(sl_str_empty(pending_write(&user, arena)));
    }
    sl_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(anything_else_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
