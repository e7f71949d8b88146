/* Destroy and rollback, played against literal replies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/scene.h"
#include "worker/execute/recipes/recipes.h"

#define NAME "agent-" SCENE_AGENT_ID
#define ONE(id, status, label)                                                                                         \
    "{\"id\":" id ",\"name\":\"" NAME "\",\"status\":\"" status "\",\"labels\":{\"sluice-agent\":\"" label "\"}}"
#define SERVER(status, label) "{\"server\":" ONE("42", status, label) "}"
#define SERVERS(id, label)    "{\"servers\":[" ONE(id, "running", label) "]}"
#define NO_SERVERS            "{\"servers\":[],\"meta\":{}}"
#define GONE                  "{\"error\":{\"code\":\"not_found\",\"message\":\"server not found\"}}"
#define BUSY                  "{\"error\":{\"code\":\"locked\",\"message\":\"server is locked\"}}"
#define ACTION                "{\"action\":{\"id\":7,\"status\":\"running\",\"error\":null}}"
#define DEVICE(id)            "{\"nodeId\":\"" id "\",\"id\":\"1\",\"hostname\":\"" NAME "\"}"
#define DEVICES(id)           "{\"devices\":[" DEVICE(id) "]}"
#define NO_DEVICES            "{\"devices\":[]}"
#define NO_DEVICE             "{\"message\":\"not found\"}"
#define RUN(status)           "{\"id\":9,\"display_title\":\"sluice " SCENE_PROVISION_ID "\",\"status\":\"" status "\"}"
#define GET_42                "GET /servers/42"
#define DELETE_42             "DELETE /servers/42"
#define BY_NAME               "GET /servers?name=" NAME
#define GET_DEV               "GET /api/v2/device/nDEV"
#define DELETE_DEV            "DELETE /api/v2/device/nDEV"
#define DEVS                  "GET /api/v2/tailnet/-/devices?hostname=" NAME
#define LIST                                                                                                           \
    "GET /repos/o/r/actions/workflows/w.yml/runs?event=workflow_dispatch&created=%3E%3D2026-11-21T08%3A59%3A00Z"       \
    "&per_page=100&page=1"
#define GET_RUN "GET /repos/o/r/actions/runs/9"
#define CANCEL  "POST /repos/o/r/actions/runs/9/cancel"

#define PLAY(of, job_of, how_it_ends, error_of, ...)                                                                   \
    scene_play(&(struct scene){.recipe = &(of),                                                                        \
                               .job = (job_of),                                                                        \
                               .acts = (const struct act[]){__VA_ARGS__},                                              \
                               .act_count = sizeof((const struct act[]){__VA_ARGS__}) / sizeof(struct act),            \
                               .end = (how_it_ends),                                                                   \
                               .error = (error_of)})

static struct recipe_job with_run(const char *run_id)
{
    struct recipe_job job = scene_job(false, false);
    memcpy(job.run_title, "sluice " SCENE_PROVISION_ID, sizeof("sluice " SCENE_PROVISION_ID));
    snprintf(job.found.run_id, sizeof(job.found.run_id), "%s", run_id);
    return job;
}

static void server_and_device_go_and_are_seen_gone(void **state)
{
    (void)state;
    struct recipe_job job =
        PLAY(RECIPE_DESTROY, scene_job(true, true), STEP_DONE, NULL,
             {"find_server", GET_42, 200, SERVER("running", SCENE_AGENT_ID), 0},
             {"delete_server", DELETE_42, 200, ACTION, 0},
             {"wait_server_gone", GET_42, 200, SERVER("deleting", SCENE_AGENT_ID), 100},
             {"wait_server_gone", GET_42, 404, GONE, 100}, {"find_server_by_name", BY_NAME, 200, NO_SERVERS, 0},
             {"find_device", GET_DEV, 200, DEVICE("nDEV"), 0}, {"delete_device", DELETE_DEV, 200, "", 0},
             {"find_device", GET_DEV, 404, NO_DEVICE, 0}, {"find_device_by_name", DEVS, 200, NO_DEVICES, 0});
    assert_true(job.found.server_gone);
    assert_true(job.found.device_gone);
}

static void nothing_there_is_done(void **state)
{
    (void)state;
    (void)PLAY(RECIPE_DESTROY, scene_job(false, false), STEP_DONE, NULL,
               {"find_server_by_name", BY_NAME, 200, NO_SERVERS, 0}, {"find_device_by_name", DEVS, 200, NO_DEVICES, 0});
}

static void what_was_deleted_by_hand_is_done(void **state)
{
    (void)state;
    (void)PLAY(RECIPE_DESTROY, scene_job(true, true), STEP_DONE, NULL, {"find_server", GET_42, 404, GONE, 0},
               {"find_server_by_name", BY_NAME, 200, NO_SERVERS, 0}, {"find_device", GET_DEV, 404, NO_DEVICE, 0},
               {"find_device_by_name", DEVS, 200, NO_DEVICES, 0});
}

static void a_server_is_found_by_name(void **state)
{
    (void)state;
    (void)PLAY(RECIPE_ROLLBACK, scene_job(false, false), STEP_DONE, NULL,
               {"find_server_by_name", BY_NAME, 200, SERVERS("42", SCENE_AGENT_ID), 0},
               {"delete_server", DELETE_42, 200, ACTION, 0}, {"wait_server_gone", GET_42, 404, GONE, 0},
               {"find_server_by_name", BY_NAME, 200, NO_SERVERS, 0},
               {"find_device_by_name", DEVS, 200, DEVICES("nDEV"), 0}, {"delete_device", DELETE_DEV, 404, NO_DEVICE, 0},
               {"find_device_by_name", DEVS, 200, NO_DEVICES, 0});
}

static void a_foreign_server_is_left_alone(void **state)
{
    (void)state;
    (void)PLAY(RECIPE_DESTROY, scene_job(true, false), STEP_DONE, NULL,
               {"find_server", GET_42, 200, SERVER("running", "99999999-9999-4999-8999-999999999999"), 0},
               {"find_server_by_name", BY_NAME, 200, SERVERS("43", ""), 0},
               {"find_device_by_name", DEVS, 200, NO_DEVICES, 0});
}

#define UNLABELLED(name) "{\"server\":{\"id\":42,\"name\":\"" name "\",\"status\":\"running\",\"labels\":{}}}"

static void a_server_without_a_label_needs_the_agents_name(void **state)
{
    (void)state;
    (void)PLAY(RECIPE_DESTROY, scene_job(true, false), STEP_DONE, NULL,
               {"find_server", GET_42, 200, UNLABELLED("database-1"), 0},
               {"find_server_by_name", BY_NAME, 200, NO_SERVERS, 0}, {"find_device_by_name", DEVS, 200, NO_DEVICES, 0});
    (void)PLAY(RECIPE_DESTROY, scene_job(true, false), STEP_DONE, NULL,
               {"find_server", GET_42, 200, UNLABELLED(NAME), 0}, {"delete_server", DELETE_42, 200, ACTION, 0},
               {"wait_server_gone", GET_42, 404, GONE, 0}, {"find_server_by_name", BY_NAME, 200, NO_SERVERS, 0},
               {"find_device_by_name", DEVS, 200, NO_DEVICES, 0});
}

#define HOST(name) "{\"nodeId\":\"nDEV\",\"id\":\"1\",\"hostname\":\"" name "\"}"

static void a_device_of_another_hostname_is_left_alone(void **state)
{
    static const char *const others[] = {HOST("database-1"), HOST(NAME "-"), HOST(NAME "-1x"), HOST(NAME "1"),
                                         HOST("")};
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(others); i++)
        (void)PLAY(RECIPE_DESTROY, scene_job(false, true), STEP_DONE, NULL,
                   {"find_server_by_name", BY_NAME, 200, NO_SERVERS, 0}, {"find_device", GET_DEV, 200, others[i], 0},
                   {"find_device_by_name", DEVS, 200, NO_DEVICES, 0});
    (void)PLAY(RECIPE_DESTROY, scene_job(false, true), STEP_DONE, NULL,
               {"find_server_by_name", BY_NAME, 200, NO_SERVERS, 0}, {"find_device", GET_DEV, 200, HOST(NAME "-12"), 0},
               {"delete_device", DELETE_DEV, 200, "", 0}, {"find_device", GET_DEV, 404, NO_DEVICE, 0},
               {"find_device_by_name", DEVS, 200, NO_DEVICES, 0});
}

static void ids_that_are_none_are_passed_over(void **state)
{
    (void)state;
    struct recipe_job job = scene_job(false, false);
    memcpy(job.found.server_id, "srv-1", 6);
    memcpy(job.found.tailscale_device_id, "100.64.0.1", 11);
    (void)PLAY(RECIPE_DESTROY, job, STEP_DONE, NULL, {"find_server_by_name", BY_NAME, 200, NO_SERVERS, 0},
               {"find_device_by_name", DEVS, 200, NO_DEVICES, 0});
}

static void lost_answers_to_deletions_are_looked_at(void **state)
{
    (void)state;
    (void)PLAY(RECIPE_DESTROY, scene_job(true, true), STEP_DONE, NULL,
               {"find_server", GET_42, 200, SERVER("running", SCENE_AGENT_ID), 0},
               {"delete_server", DELETE_42, 0, NULL, 0},
               {"find_server", GET_42, 200, SERVER("running", SCENE_AGENT_ID), 0},
               {"delete_server", DELETE_42, 423, BUSY, 0}, {"delete_server", DELETE_42, 0, NULL, 1000},
               {"find_server", GET_42, 200, SERVER("deleting", SCENE_AGENT_ID), 0},
               {"wait_server_gone", GET_42, 404, GONE, 0}, {"find_server_by_name", BY_NAME, 200, NO_SERVERS, 0},
               {"find_device", GET_DEV, 200, DEVICE("nDEV"), 0}, {"delete_device", DELETE_DEV, 0, NULL, 0},
               {"find_device", GET_DEV, 404, NO_DEVICE, 0}, {"find_device_by_name", DEVS, 200, NO_DEVICES, 0});
}

static void a_machine_that_joined_twice_leaves_twice(void **state)
{
    (void)state;
    (void)PLAY(
        RECIPE_DESTROY, scene_job(false, false), STEP_DONE, NULL, {"find_server_by_name", BY_NAME, 200, NO_SERVERS, 0},
        {"find_device_by_name", DEVS, 200, DEVICES("nA"), 0}, {"delete_device", "DELETE /api/v2/device/nA", 200, "", 0},
        {"find_device", "GET /api/v2/device/nA", 404, NO_DEVICE, 0},
        {"find_device_by_name", DEVS, 200, DEVICES("nB"), 0},
        {"delete_device", "DELETE /api/v2/device/nB", 200, "null", 0},
        {"find_device", "GET /api/v2/device/nB", 404, NO_DEVICE, 0}, {"find_device_by_name", DEVS, 200, NO_DEVICES, 0});
}

static void a_protected_server_is_said_so(void **state)
{
    (void)state;
    (void)PLAY(RECIPE_DESTROY, scene_job(true, false), STEP_REFUSED, "server deletion is protected",
               {"find_server", GET_42, 200, SERVER("off", SCENE_AGENT_ID), 0},
               {"delete_server", DELETE_42, 423,
                "{\"error\":{\"code\":\"protected\",\"message\":\"server deletion is protected\"}}", 0});
}

static void the_run_is_stopped_first_and_the_name_is_looked_at_last(void **state)
{
    (void)state;
    (void)PLAY(RECIPE_ROLLBACK, with_run("9"), STEP_DONE, NULL, {"check_run", GET_RUN, 200, RUN("in_progress"), 0},
               {"cancel_run", CANCEL, 202, "{}", 0}, {"wait_run", GET_RUN, 200, RUN("in_progress"), 100},
               {"wait_run", GET_RUN, 200, RUN("completed"), 100}, {"find_server_by_name", BY_NAME, 200, NO_SERVERS, 0},
               {"find_device_by_name", DEVS, 200, NO_DEVICES, 0},
               {"recheck_server", BY_NAME, 200, SERVERS("42", SCENE_AGENT_ID), 0},
               {"delete_server", DELETE_42, 200, ACTION, 0}, {"wait_server_gone", GET_42, 404, GONE, 0},
               {"find_server_by_name", BY_NAME, 200, NO_SERVERS, 0}, {"find_device_by_name", DEVS, 200, NO_DEVICES, 0},
               {"recheck_server", BY_NAME, 200, NO_SERVERS, 0});
}

static void a_run_of_unknown_id_is_found_by_its_title(void **state)
{
    (void)state;
    (void)PLAY(RECIPE_ROLLBACK, with_run(""), STEP_DONE, NULL,
               {"find_run", LIST, 200, "{\"workflow_runs\":[" RUN("queued") "]}", 0},
               {"cancel_run", CANCEL, 0, NULL, 0}, {"check_run", GET_RUN, 200, RUN("queued"), 0},
               {"cancel_run", CANCEL, 409, "{\"message\":\"Cannot cancel a workflow run that is completed.\"}", 0},
               {"wait_run", GET_RUN, 200, RUN("completed"), 0}, {"find_server_by_name", BY_NAME, 200, NO_SERVERS, 0},
               {"find_device_by_name", DEVS, 200, NO_DEVICES, 0}, {"recheck_server", BY_NAME, 200, NO_SERVERS, 0});
}

static void a_run_that_is_nowhere_or_gone_or_named_oddly_holds_up_nothing(void **state)
{
    (void)state;
    (void)PLAY(RECIPE_DESTROY, with_run(""), STEP_DONE, NULL, {"find_run", LIST, 200, "{\"workflow_runs\":[]}", 0},
               {"find_server_by_name", BY_NAME, 200, NO_SERVERS, 0}, {"find_device_by_name", DEVS, 200, NO_DEVICES, 0},
               {"recheck_server", BY_NAME, 200, NO_SERVERS, 0});
    (void)PLAY(RECIPE_DESTROY, with_run("9"), STEP_DONE, NULL,
               {"check_run", GET_RUN, 404, "{\"message\":\"Not Found\"}", 0},
               {"find_server_by_name", BY_NAME, 200, NO_SERVERS, 0}, {"find_device_by_name", DEVS, 200, NO_DEVICES, 0},
               {"recheck_server", BY_NAME, 200, NO_SERVERS, 0});
    (void)PLAY(RECIPE_DESTROY, with_run("run-abc"), STEP_DONE, NULL,
               {"find_run", LIST, 200, "{\"workflow_runs\":[]}", 0},
               {"find_server_by_name", BY_NAME, 200, NO_SERVERS, 0}, {"find_device_by_name", DEVS, 200, NO_DEVICES, 0},
               {"recheck_server", BY_NAME, 200, NO_SERVERS, 0});
}

static void a_run_that_does_not_end_is_not_waited_for_for_ever(void **state)
{
    (void)state;
    (void)PLAY(RECIPE_DESTROY, with_run("9"), STEP_DONE, NULL, {"check_run", GET_RUN, 200, RUN("in_progress"), 0},
               {"cancel_run", CANCEL, 202, "{}", 0}, {"wait_run", GET_RUN, 200, RUN("in_progress"), 100},
               {"wait_run", GET_RUN, 200, RUN("in_progress"), 300000},
               {"find_server_by_name", BY_NAME, 200, NO_SERVERS, 0}, {"find_device_by_name", DEVS, 200, NO_DEVICES, 0},
               {"recheck_server", BY_NAME, 200, NO_SERVERS, 0});
}

#define AWAY(step_name, request)                                                                                       \
    {                                                                                                                  \
        step_name, request, 502, "<html>", 0                                                                           \
    }
#define AWAY_7(step_name, request)                                                                                     \
    AWAY(step_name, request), AWAY(step_name, request), AWAY(step_name, request), AWAY(step_name, request),            \
        AWAY(step_name, request), AWAY(step_name, request), AWAY(step_name, request)
#define AWAY_8(step_name, request) AWAY(step_name, request), AWAY_7(step_name, request)

static void a_run_that_cannot_be_stopped_saves_no_server(void **state)
{
    (void)state;
    (void)PLAY(RECIPE_DESTROY, with_run(""), STEP_DONE, NULL, AWAY_8("find_run", LIST),
               {"find_server_by_name", BY_NAME, 200, SERVERS("42", SCENE_AGENT_ID), 0},
               {"delete_server", DELETE_42, 502, "", 0}, {"find_server", GET_42, 404, GONE, 0},
               {"find_server_by_name", BY_NAME, 200, NO_SERVERS, 0}, {"find_device_by_name", DEVS, 200, NO_DEVICES, 0},
               {"recheck_server", BY_NAME, 200, NO_SERVERS, 0});
    struct recipe_job job =
        PLAY(RECIPE_ROLLBACK, with_run("9"), STEP_DONE, NULL, {"check_run", GET_RUN, 200, RUN("queued"), 0},
             {"cancel_run", CANCEL, 0, NULL, 0}, AWAY_7("check_run", GET_RUN),
             {"find_server_by_name", BY_NAME, 200, NO_SERVERS, 0}, {"find_device_by_name", DEVS, 200, NO_DEVICES, 0},
             {"recheck_server", BY_NAME, 200, NO_SERVERS, 0});
    assert_string_equal(job.found.intent, "");
}

static void a_server_that_cannot_be_reached_fails_the_job(void **state)
{
    (void)state;
    (void)PLAY(RECIPE_DESTROY, scene_job(true, false), STEP_RETRY, NULL, AWAY_8("find_server", GET_42));
}

static void a_deletion_without_effect_is_made_again(void **state)
{
    (void)state;
    (void)PLAY(RECIPE_DESTROY, scene_job(true, false), STEP_DONE, NULL,
               {"find_server", GET_42, 200, SERVER("off", SCENE_AGENT_ID), 0},
               {"delete_server", DELETE_42, 200, ACTION, 0},
               {"wait_server_gone", GET_42, 200, SERVER("off", SCENE_AGENT_ID), 100},
               {"wait_server_gone", GET_42, 200, SERVER("off", SCENE_AGENT_ID), 300001},
               {"find_server", GET_42, 200, SERVER("off", SCENE_AGENT_ID), 0},
               {"delete_server", DELETE_42, 200, ACTION, 0}, {"wait_server_gone", GET_42, 404, GONE, 0},
               {"find_server_by_name", BY_NAME, 200, NO_SERVERS, 0}, {"find_device_by_name", DEVS, 200, NO_DEVICES, 0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_and_device_go_and_are_seen_gone),
        cmocka_unit_test(nothing_there_is_done),
        cmocka_unit_test(what_was_deleted_by_hand_is_done),
        cmocka_unit_test(a_server_is_found_by_name),
        cmocka_unit_test(a_foreign_server_is_left_alone),
        cmocka_unit_test(a_server_without_a_label_needs_the_agents_name),
        cmocka_unit_test(a_device_of_another_hostname_is_left_alone),
        cmocka_unit_test(a_run_that_cannot_be_stopped_saves_no_server),
        cmocka_unit_test(a_server_that_cannot_be_reached_fails_the_job),
        cmocka_unit_test(ids_that_are_none_are_passed_over),
        cmocka_unit_test(lost_answers_to_deletions_are_looked_at),
        cmocka_unit_test(a_machine_that_joined_twice_leaves_twice),
        cmocka_unit_test(a_protected_server_is_said_so),
        cmocka_unit_test(the_run_is_stopped_first_and_the_name_is_looked_at_last),
        cmocka_unit_test(a_run_of_unknown_id_is_found_by_its_title),
        cmocka_unit_test(a_run_that_is_nowhere_or_gone_or_named_oddly_holds_up_nothing),
        cmocka_unit_test(a_run_that_does_not_end_is_not_waited_for_for_ever),
        cmocka_unit_test(a_deletion_without_effect_is_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
