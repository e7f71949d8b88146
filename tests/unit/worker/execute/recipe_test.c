/* Provision, start and stop, played against literal replies; and the laws that every table of steps keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/scene.h"
#include "worker/execute/recipes/recipes.h"

#define SERVER(status) "{\"server\":{\"id\":42,\"name\":\"agent-x\",\"status\":\"" status "\",\"locked\":false}}"
#define LOCKED(status) "{\"server\":{\"id\":42,\"name\":\"agent-x\",\"status\":\"" status "\",\"locked\":true}}"
#define ACTION(status) "{\"action\":{\"id\":7,\"status\":\"" status "\",\"error\":null}}"
#define FAILED                                                                                                         \
    "{\"action\":{\"id\":7,\"status\":\"error\","                                                                      \
    "\"error\":{\"code\":\"action_failed\",\"message\":\"no\"}}}"
#define GET_SERVER "GET /servers/42"
#define GET_ACTION "GET /actions/7"
#define POWERON    "POST /servers/42/actions/poweron"
#define SHUTDOWN   "POST /servers/42/actions/shutdown"
#define POWEROFF   "POST /servers/42/actions/poweroff"
#define GONE       "{\"error\":{\"code\":\"not_found\",\"message\":\"server not found\"}}"
#define BUSY       "{\"error\":{\"code\":\"locked\",\"message\":\"server is locked\"}}"
#define DISPATCH   "POST /repos/o/r/actions/workflows/w.yml/dispatches"
#define RUNS                                                                                                           \
    "GET "                                                                                                             \
    "/repos/o/r/actions/workflows/w.yml/"                                                                              \
    "runs?event=workflow_dispatch&created=%3E%3D2026-11-21T09%3A59%3A00Z&per_page=100&page=1"
#define NO_RUNS "{\"total_count\":0,\"workflow_runs\":[]}"
#define RUN(id, status, created)                                                                                       \
    "{\"total_count\":1,\"workflow_runs\":[{\"id\":" id ",\"display_title\":\"sluice " SCENE_JOB_ID                    \
    "\",\"status\":\"" status "\",\"created_at\":\"" created "\"}]}"

#define PLAY(of, job_of, how_it_ends, error_of, ...)                                                                   \
    scene_play(&(struct scene){.recipe = &(of),                                                                        \
                               .job = (job_of),                                                                        \
                               .acts = (const struct act[]){__VA_ARGS__},                                              \
                               .act_count = sizeof((const struct act[]){__VA_ARGS__}) / sizeof(struct act),            \
                               .end = (how_it_ends),                                                                   \
                               .error = (error_of)})

static struct recipe_job provision_job(void)
{
    struct recipe_job job = scene_job(false, false);
    memcpy(job.run_title, "sluice " SCENE_JOB_ID, sizeof("sluice " SCENE_JOB_ID));
    return job;
}

static void every_table_keeps_the_laws(void **state)
{
    (void)state;
    size_t count = 0;
    const struct recipe *const *recipes = recipes_all(&count);
    assert_int_equal(count, 14);
    for (size_t i = 0; i < count; i++)
        recipe_check(recipes[i]);
}

static void a_job_finds_its_recipe(void **state)
{
    (void)state;
    assert_ptr_equal(recipe_of(JOB_PROVISION, SL_STR("github-actions"), SL_STR_NONE), &RECIPE_PROVISION_GITHUB);
    assert_ptr_equal(recipe_of(JOB_PROVISION, SL_STR("hetzner"), SL_STR_NONE), &RECIPE_PROVISION_HETZNER);
    assert_ptr_equal(recipe_of(JOB_PROVISION, SL_STR("provisioner"), SL_STR_NONE), &RECIPE_PROVISION_PROVISIONER);
    assert_ptr_equal(recipe_of(JOB_EMAIL, SL_STR("resend"), SL_STR_NONE), &RECIPE_EMAIL);
    assert_null(recipe_of(JOB_PROVISION, SL_STR(""), SL_STR_NONE));
    assert_ptr_equal(recipe_of(JOB_STOP, SL_STR("anything"), SL_STR_NONE), &RECIPE_STOP);
    assert_null(recipe_of(JOB_EMAIL, SL_STR(""), SL_STR_NONE));
    assert_ptr_equal(recipe_of(JOB_STRIPE, SL_STR("stripe"), SL_STR("checkout")), &RECIPE_STRIPE_CHECKOUT);
    assert_ptr_equal(recipe_of(JOB_STRIPE, SL_STR("stripe"), SL_STR("resume")), &RECIPE_STRIPE_RESUME);
    assert_null(recipe_of(JOB_STRIPE, SL_STR("stripe"), SL_STR("no_such_op")));
    assert_null(recipe_of(JOB_STRIPE, SL_STR("stripe"), SL_STR_NONE));
    assert_ptr_equal(recipe_of(JOB_GRAPH, SL_STR("graph"), SL_STR_NONE), &RECIPE_GRAPH_CATALOG);
    assert_null(recipe_step(&RECIPE_STOP, SL_STR("no_such_step")));
}

/* Provision. */

static void a_dispatch_that_tells_its_run(void **state)
{
    (void)state;
    struct recipe_job job = PLAY(RECIPE_PROVISION_GITHUB, provision_job(), STEP_WAITING, NULL,
                                 {"dispatch", DISPATCH, 200, "{\"workflow_run_id\":99}", 0});
    assert_string_equal(job.found.run_id, "99");
    assert_string_equal(job.found.intent, "");
}

static void a_dispatch_that_tells_nothing(void **state)
{
    (void)state;
    struct recipe_job job =
        PLAY(RECIPE_PROVISION_GITHUB, provision_job(), STEP_WAITING, NULL, {"dispatch", DISPATCH, 204, "", 0});
    assert_string_equal(job.found.run_id, "");
}

static void a_lost_answer_is_looked_for_and_found_late(void **state)
{
    (void)state;
    struct recipe_job job =
        PLAY(RECIPE_PROVISION_GITHUB, provision_job(), STEP_WAITING, NULL, {"dispatch", DISPATCH, 0, NULL, 0},
             {"look_run", RUNS, 200, NO_RUNS, 1000}, {"look_run", RUNS, 502, "<html>", 4000},
             {"look_run", RUNS, 200, RUN("77", "queued", "2026-11-21T10:00:01Z"), 4000});
    assert_string_equal(job.found.run_id, "77");
}

static void a_dispatch_that_never_was_is_made_after_looking_long_enough(void **state)
{
    (void)state;
    (void)PLAY(RECIPE_PROVISION_GITHUB, provision_job(), STEP_WAITING, NULL, {"dispatch", DISPATCH, 502, "<html>", 0},
               {"look_run", RUNS, 200, NO_RUNS, 0}, {"look_run", RUNS, 200, NO_RUNS, 4000},
               {"look_run", RUNS, 200, NO_RUNS, 4000}, {"dispatch", DISPATCH, 204, "", 0});
}

static void a_dispatch_that_met_a_limit_is_looked_for(void **state)
{
    (void)state;
    struct recipe_job job = PLAY(RECIPE_PROVISION_GITHUB, provision_job(), STEP_WAITING, NULL,
                                 {"dispatch", DISPATCH, 429, "{\"message\":\"slow down\"}", 0},
                                 {"look_run", RUNS, 200, RUN("77", "queued", "2026-11-21T10:00:01Z"), 1000});
    assert_string_equal(job.found.run_id, "77");
}

static void a_run_of_an_earlier_life_is_not_ours(void **state)
{
    (void)state;
    (void)PLAY(RECIPE_PROVISION_GITHUB, provision_job(), STEP_WAITING, NULL, {"dispatch", DISPATCH, 0, NULL, 0},
               {"look_run", RUNS, 200, RUN("66", "completed", "2026-11-21T09:59:30Z"), 0},
               {"look_run", RUNS, 200, RUN("66", "completed", "2026-11-21T09:59:30Z"), 4000},
               {"look_run", RUNS, 200, RUN("66", "completed", "2026-11-21T09:59:30Z"), 4000},
               {"dispatch", DISPATCH, 200, "{}", 0});
}

static void an_older_server_that_refuses_details_is_asked_without(void **state)
{
    (void)state;
    struct recipe_job job =
        PLAY(RECIPE_PROVISION_GITHUB, provision_job(), STEP_WAITING, NULL,
             {"dispatch", DISPATCH, 422, "{\"message\":\"\\\"return_run_details\\\" is not a permitted key.\"}", 0},
             {"dispatch", DISPATCH, 204, "", 0});
    assert_true(job.found.without_details);
}

static void a_refused_dispatch_is_tried_a_few_times(void **state)
{
    (void)state;
    const char *body = "{\"message\":\"No ref found for: main\"}";
    (void)PLAY(RECIPE_PROVISION_GITHUB, provision_job(), STEP_RETRY, "No ref found",
               {"dispatch", DISPATCH, 422, body, 0}, {"dispatch", DISPATCH, 422, body, 0},
               {"dispatch", DISPATCH, 404, "{\"message\":\"Not Found\"}", 0}, {"dispatch", DISPATCH, 422, body, 0});
}

static void answers_that_are_always_lost_end_in_failure(void **state)
{
    (void)state;
    struct scene scene = {.recipe = &RECIPE_PROVISION_GITHUB,
                          .job = provision_job(),
                          .end = STEP_RETRY,
                          .attempts_max = 2,
                          .act_count = 5};
    const struct act acts[] = {{"dispatch", DISPATCH, 0, NULL, 0},
                               {"look_run", RUNS, 200, NO_RUNS, 0},
                               {"look_run", RUNS, 200, NO_RUNS, 4000},
                               {"look_run", RUNS, 200, NO_RUNS, 4000},
                               {"dispatch", DISPATCH, 0, NULL, 0}};
    scene.acts = acts;
    struct recipe_job job = scene_play(&scene);
    assert_string_equal(job.found.intent, "dispatch"); /* what it leaves may run: the rules roll back */
}

/* Start. */

static void a_server_that_runs_is_started(void **state)
{
    (void)state;
    (void)PLAY(RECIPE_START, scene_job(true, false), STEP_DONE, NULL,
               {"look_server", GET_SERVER, 200, SERVER("running"), 0});
}

static void a_server_is_started_and_seen_running(void **state)
{
    (void)state;
    (void)PLAY(RECIPE_START, scene_job(true, false), STEP_DONE, NULL,
               {"look_server", GET_SERVER, 200, SERVER("off"), 0}, {"power_on", POWERON, 201, ACTION("running"), 0},
               {"wait_action", GET_ACTION, 200, ACTION("running"), 500}, {"wait_action", GET_ACTION, 503, "", 500},
               {"wait_action", GET_ACTION, 200, ACTION("success"), 500},
               {"verify_power", GET_SERVER, 200, SERVER("starting"), 0},
               {"verify_power", GET_SERVER, 200, SERVER("running"), 0});
}

static void a_locked_server_is_waited_for(void **state)
{
    (void)state;
    (void)PLAY(RECIPE_START, scene_job(true, false), STEP_DONE, NULL,
               {"look_server", GET_SERVER, 200, LOCKED("off"), 0}, {"look_server", GET_SERVER, 200, SERVER("off"), 0},
               {"power_on", POWERON, 423, BUSY, 0}, {"power_on", POWERON, 423, BUSY, 1000},
               {"power_on", POWERON, 201, ACTION("success"), 1000},
               {"wait_action", GET_ACTION, 200, ACTION("success"), 0},
               {"verify_power", GET_SERVER, 200, SERVER("running"), 0});
}

static void a_lost_answer_to_power_on_is_looked_at(void **state)
{
    (void)state;
    (void)PLAY(RECIPE_START, scene_job(true, false), STEP_DONE, NULL,
               {"look_server", GET_SERVER, 200, SERVER("off"), 0}, {"power_on", POWERON, 0, NULL, 0},
               {"look_server", GET_SERVER, 200, SERVER("running"), 0});
}

static void an_action_that_always_fails_ends_in_failure(void **state)
{
    (void)state;
    struct scene scene = {.recipe = &RECIPE_START,
                          .job = scene_job(true, false),
                          .end = STEP_RETRY,
                          .error = "action_failed",
                          .attempts_max = 2,
                          .act_count = 6};
    const struct act acts[] = {
        {"look_server", GET_SERVER, 200, SERVER("off"), 0}, {"power_on", POWERON, 201, ACTION("running"), 0},
        {"wait_action", GET_ACTION, 200, FAILED, 0},        {"look_server", GET_SERVER, 200, SERVER("off"), 0},
        {"power_on", POWERON, 201, ACTION("running"), 0},   {"wait_action", GET_ACTION, 200, FAILED, 0},
    };
    scene.acts = acts;
    (void)scene_play(&scene);
}

static void a_server_that_is_gone_can_not_be_started(void **state)
{
    (void)state;
    (void)PLAY(RECIPE_START, scene_job(true, false), STEP_REFUSED, "does not exist",
               {"look_server", GET_SERVER, 404, GONE, 0});
    (void)PLAY(RECIPE_STOP, scene_job(true, false), STEP_REFUSED, "does not exist",
               {"look_server", GET_SERVER, 404, GONE, 0});
    struct recipe_job odd = scene_job(false, false);
    memcpy(odd.found.server_id, "4/2", 4);
    struct scene none = {.recipe = &RECIPE_START, .job = odd, .end = STEP_REFUSED, .error = "no id"};
    (void)scene_play(&none);
    none.job = scene_job(false, false);
    none.error = "no server";
    (void)scene_play(&none);
}

static void a_lock_that_never_opens_is_a_failed_attempt(void **state)
{
    (void)state;
    struct scene scene = {.recipe = &RECIPE_START,
                          .job = scene_job(true, false),
                          .end = STEP_RETRY,
                          .error = "waited for too long",
                          .attempts_max = 1,
                          .act_count = 3};
    const struct act acts[] = {{"look_server", GET_SERVER, 200, SERVER("off"), 0},
                               {"power_on", POWERON, 423, BUSY, 0},
                               {"power_on", POWERON, 423, BUSY, 600001}};
    scene.acts = acts;
    (void)scene_play(&scene);
}

/* Stop. */

static void a_server_that_is_off_is_stopped(void **state)
{
    (void)state;
    (void)PLAY(RECIPE_STOP, scene_job(true, false), STEP_DONE, NULL,
               {"look_server", GET_SERVER, 200, SERVER("off"), 0});
}

static void a_guest_that_shuts_down_is_not_cut_off(void **state)
{
    (void)state;
    (void)PLAY(
        RECIPE_STOP, scene_job(true, false), STEP_DONE, NULL, {"look_server", GET_SERVER, 200, SERVER("running"), 0},
        {"shut_down", SHUTDOWN, 201, ACTION("running"), 0}, {"wait_off", GET_SERVER, 200, LOCKED("running"), 500},
        {"wait_off", GET_SERVER, 200, SERVER("running"), 59000}, {"wait_off", GET_SERVER, 200, SERVER("off"), 100});
}

static void a_guest_that_does_not_hear_is_cut_off_after_the_grace(void **state)
{
    (void)state;
    (void)PLAY(
        RECIPE_STOP, scene_job(true, false), STEP_DONE, NULL, {"look_server", GET_SERVER, 200, SERVER("running"), 0},
        {"shut_down", SHUTDOWN, 201, ACTION("running"), 0}, {"wait_off", GET_SERVER, 200, SERVER("running"), 59999},
        {"wait_off", GET_SERVER, 200, SERVER("running"), 1}, {"power_off", POWEROFF, 201, ACTION("running"), 0},
        {"wait_action", GET_ACTION, 200, ACTION("success"), 100}, {"verify_power", GET_SERVER, 200, SERVER("off"), 0});
}

static void the_grace_begins_when_the_shutdown_was_taken(void **state)
{
    (void)state;
    (void)PLAY(
        RECIPE_STOP, scene_job(true, false), STEP_DONE, NULL, {"look_server", GET_SERVER, 200, SERVER("running"), 0},
        {"shut_down", SHUTDOWN, 423, BUSY, 0}, {"shut_down", SHUTDOWN, 201, ACTION("running"), 70000},
        {"wait_off", GET_SERVER, 200, SERVER("running"), 59999}, {"wait_off", GET_SERVER, 200, SERVER("off"), 0});
    (void)PLAY(
        RECIPE_STOP, scene_job(true, false), STEP_DONE, NULL, {"look_server", GET_SERVER, 200, SERVER("running"), 0},
        {"shut_down", SHUTDOWN, 0, NULL, 0}, {"look_server", GET_SERVER, 200, SERVER("running"), 70000},
        {"shut_down", SHUTDOWN, 422, "{\"error\":{\"code\":\"unsupported_error\",\"message\":\"no\"}}", 0},
        {"wait_off", GET_SERVER, 200, SERVER("running"), 59999}, {"wait_off", GET_SERVER, 200, SERVER("off"), 0});
}

static void a_shutdown_whose_answer_was_lost_is_asked_again(void **state)
{
    (void)state;
    (void)PLAY(RECIPE_STOP, scene_job(true, false), STEP_DONE, NULL,
               {"look_server", GET_SERVER, 200, SERVER("running"), 0}, {"shut_down", SHUTDOWN, 0, NULL, 0},
               {"look_server", GET_SERVER, 200, SERVER("running"), 0},
               {"shut_down", SHUTDOWN, 201, ACTION("running"), 0}, {"wait_off", GET_SERVER, 200, SERVER("off"), 100});
}

static void a_power_off_whose_answer_was_lost_is_looked_at(void **state)
{
    (void)state;
    (void)PLAY(
        RECIPE_STOP, scene_job(true, false), STEP_DONE, NULL, {"look_server", GET_SERVER, 200, SERVER("running"), 0},
        {"shut_down", SHUTDOWN, 422, "{\"error\":{\"code\":\"unsupported_error\",\"message\":\"no\"}}", 0},
        {"wait_off", GET_SERVER, 200, SERVER("running"), 60000}, {"power_off", POWEROFF, 504, "", 0},
        {"look_server", GET_SERVER, 200, SERVER("running"), 0}, {"wait_off", GET_SERVER, 200, SERVER("running"), 0},
        {"power_off", POWEROFF, 201, "{\"action\":", 0}, {"look_server", GET_SERVER, 200, SERVER("off"), 0});
}

/* A cloud that can't be called. */

static void a_step_that_may_be_given_up_is_when_its_cloud_stays_closed(void **state)
{
    (void)state;
    const struct recipe_settings settings = {.run_stop_max_ms = 300000};
    struct recipe_job job = scene_job(true, true);
    const struct step *find_run = recipe_step(&RECIPE_ROLLBACK, SL_STR("find_run"));
    int attempt = 3;
    assert_null(recipe_closed(find_run, &job, &settings, SCENE_NOW_MS, &attempt));
    assert_null(recipe_closed(find_run, &job, &settings, SCENE_NOW_MS + 299999, &attempt));
    assert_int_equal(attempt, 3);
    assert_string_equal(recipe_closed(find_run, &job, &settings, SCENE_NOW_MS + 300000, &attempt), "find_server");
    assert_int_equal(attempt, 0);
    assert_int_equal(job.found.closed_from_ms, 0);
}

static void any_other_step_waits_for_its_cloud(void **state)
{
    (void)state;
    const struct recipe_settings settings = {.run_stop_max_ms = 300000};
    struct recipe_job job = scene_job(true, true);
    const struct step *look = recipe_step(&RECIPE_STOP, SL_STR("look_server"));
    int attempt = 0;
    assert_null(recipe_closed(look, &job, &settings, SCENE_NOW_MS, &attempt));
    assert_null(recipe_closed(look, &job, &settings, SCENE_NOW_MS + INT64_C(86400000), &attempt));
    assert_int_equal(job.found.closed_from_ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_that_may_be_given_up_is_when_its_cloud_stays_closed),
        cmocka_unit_test(any_other_step_waits_for_its_cloud),
        cmocka_unit_test(every_table_keeps_the_laws),
        cmocka_unit_test(a_job_finds_its_recipe),
        cmocka_unit_test(a_dispatch_that_tells_its_run),
        cmocka_unit_test(a_dispatch_that_tells_nothing),
        cmocka_unit_test(a_lost_answer_is_looked_for_and_found_late),
        cmocka_unit_test(a_dispatch_that_met_a_limit_is_looked_for),
        cmocka_unit_test(a_dispatch_that_never_was_is_made_after_looking_long_enough),
        cmocka_unit_test(a_run_of_an_earlier_life_is_not_ours),
        cmocka_unit_test(an_older_server_that_refuses_details_is_asked_without),
        cmocka_unit_test(a_refused_dispatch_is_tried_a_few_times),
        cmocka_unit_test(answers_that_are_always_lost_end_in_failure),
        cmocka_unit_test(a_server_that_runs_is_started),
        cmocka_unit_test(a_server_is_started_and_seen_running),
        cmocka_unit_test(a_locked_server_is_waited_for),
        cmocka_unit_test(a_lost_answer_to_power_on_is_looked_at),
        cmocka_unit_test(an_action_that_always_fails_ends_in_failure),
        cmocka_unit_test(a_server_that_is_gone_can_not_be_started),
        cmocka_unit_test(a_lock_that_never_opens_is_a_failed_attempt),
        cmocka_unit_test(a_server_that_is_off_is_stopped),
        cmocka_unit_test(a_guest_that_shuts_down_is_not_cut_off),
        cmocka_unit_test(the_grace_begins_when_the_shutdown_was_taken),
        cmocka_unit_test(a_guest_that_does_not_hear_is_cut_off_after_the_grace),
        cmocka_unit_test(a_shutdown_whose_answer_was_lost_is_asked_again),
        cmocka_unit_test(a_power_off_whose_answer_was_lost_is_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
