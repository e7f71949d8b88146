/* Instances at the provisioner: brought, given their limits, taken away; whatever is answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/scene.h"
#include "worker/execute/recipes/recipes.h"

#define PROVISION "POST /provision"
#define UPDATE    "PUT /update"
#define DELETE    "DELETE /deprovision"
#define LIST      "GET /apps"
#define APP                                                                                                            \
    "{\"appName\":\"app-1\",\"subdomain\":\"app-1\",\"frontendUrl\":\"https://app-1.example\","                        \
    "\"backendUrl\":\"https://api-app-1.example\"}"
#define ERROR(text) "{\"error\":\"" text "\"}"
#define ORDER                                                                                                          \
    "{\"subscription_id\":\"sub_1\",\"account_id\":\"u1\",\"tier\":\"starter\",\"agents\":\"3\","                      \
    "\"messages_per_day\":\"1000\",\"memory_mb\":\"512\",\"cpu\":\"0.5\"}"
#define LIMITS "\"limits\":{\"agents\":3,\"messagesPerDay\":1000,\"memoryMb\":512,\"cpu\":0.5}"

#define PLAY(of, job_of, how_it_ends, error_of, ...)                                                                   \
    scene_play(&(struct scene){.recipe = &(of),                                                                        \
                               .job = (job_of),                                                                        \
                               .acts = (const struct act[]){__VA_ARGS__},                                              \
                               .act_count = sizeof((const struct act[]){__VA_ARGS__}) / sizeof(struct act),            \
                               .sends = sends,                                                                         \
                               .end = (how_it_ends),                                                                   \
                               .error = (error_of)})

static const char *const *sends;

static struct recipe_job job_with(const char *args, const char *app_name)
{
    struct recipe_job job = scene_job(false, false);
    scene_args(&job, args);
    memcpy(job.found.app_name, app_name, strlen(app_name) + 1);
    return job;
}

static void an_instance_is_brought(void **state)
{
    (void)state;
    sends =
        (const char *const[]){"{\"subscriptionId\":\"sub_1\",\"accountId\":\"u1\",\"tier\":\"starter\"," LIMITS "}"};
    struct recipe_job job =
        PLAY(RECIPE_PROVISION_PROVISIONER, job_with(ORDER, ""), STEP_DONE, NULL, {"provision", PROVISION, 200, APP, 0});
    assert_string_equal(job.found.app_name, "app-1");
    assert_string_equal(job.found.frontend_url, "https://app-1.example");
    assert_string_equal(job.found.backend_url, "https://api-app-1.example");
    assert_string_equal(job.found.intent, "");
    sends = NULL;
    args_deinit(&job.args);
}

static void a_lost_answer_is_asked_for_by_the_same_call(void **state)
{
    (void)state;
    struct recipe_job job =
        PLAY(RECIPE_PROVISION_PROVISIONER, job_with(ORDER, ""), STEP_DONE, NULL, {"provision", PROVISION, 0, NULL, 0},
             {"provision", PROVISION, 500, ERROR("x"), 0}, {"provision", PROVISION, 503, ERROR("No capacity"), 0},
             {"provision", PROVISION, 200, "{}", 0}, {"provision", PROVISION, 200, APP, 0});
    assert_string_equal(job.found.app_name, "app-1");
    args_deinit(&job.args);
}

static void a_refused_instance_fails_at_once(void **state)
{
    (void)state;
    struct recipe_job job =
        PLAY(RECIPE_PROVISION_PROVISIONER, job_with(ORDER, ""), STEP_REFUSED, "another account",
             {"provision", PROVISION, 409, ERROR("The subscription belongs to another account"), 0});
    args_deinit(&job.args);
    job = PLAY(RECIPE_PROVISION_PROVISIONER, job_with(ORDER, ""), STEP_REFUSED, "Invalid tier",
               {"provision", PROVISION, 400, ERROR("Invalid tier: starter"), 0});
    args_deinit(&job.args);
}

static void an_order_that_says_too_little_is_not_sent(void **state)
{
    (void)state;
    struct scene scene = {.recipe = &RECIPE_PROVISION_PROVISIONER, .end = STEP_REFUSED, .error = "no subscription_id"};
    scene.job = job_with("{\"tier\":\"starter\"}", "");
    struct recipe_job job = scene_play(&scene);
    args_deinit(&job.args);
    scene.job = job_with("{\"subscription_id\":\"s\",\"tier\":\"t\",\"cpu\":\"1e9\"}", "");
    scene.error = "the limit cpu is no decimal number";
    job = scene_play(&scene);
    args_deinit(&job.args);
    scene.job = job_with("{}", "");
    scene.recipe = &RECIPE_UPDATE_LIMITS;
    scene.error = "no instance";
    (void)scene_play(&scene);
    scene.recipe = &RECIPE_DEPROVISION;
    scene.error = "neither an app_name nor a subscription_id";
    (void)scene_play(&scene);
}

static void limits_are_given(void **state)
{
    (void)state;
    sends = (const char *const[]){"{\"appName\":\"app-1\",\"tier\":\"starter\"," LIMITS "}", NULL};
    struct recipe_job job = PLAY(RECIPE_UPDATE_LIMITS, job_with(ORDER, "app-1"), STEP_DONE, NULL,
                                 {"update", UPDATE, 0, NULL, 0}, {"update", UPDATE, 200, "{}", 0});
    sends = NULL;
    args_deinit(&job.args);
}

static void limits_of_an_instance_that_is_gone_are_refused(void **state)
{
    (void)state;
    struct recipe_job job =
        PLAY(RECIPE_UPDATE_LIMITS, job_with(ORDER, "app-1"), STEP_REFUSED, "app-1 does not exist any more",
             {"update", UPDATE, 404, ERROR("App app-1 not found"), 0});
    args_deinit(&job.args);
}

static void an_instance_is_taken_away(void **state)
{
    (void)state;
    sends = (const char *const[]){"{\"appName\":\"app-1\"}", NULL};
    struct recipe_job job =
        PLAY(RECIPE_DEPROVISION, job_with(ORDER, "app-1"), STEP_DONE, NULL, {"delete_instance", DELETE, 0, NULL, 0},
             {"delete_instance", DELETE, 404, ERROR("not found"), 0});
    sends = NULL;
    args_deinit(&job.args);
    job =
        PLAY(RECIPE_DEPROVISION, job_with(ORDER, "app-1"), STEP_DONE, NULL, {"delete_instance", DELETE, 200, "{}", 0});
    args_deinit(&job.args);
    job = PLAY(RECIPE_DEPROVISION, job_with(ORDER, "app-1"), STEP_REFUSED, "instance app-1: no",
               {"delete_instance", DELETE, 400, ERROR("no"), 0});
    args_deinit(&job.args);
}

static void an_instance_whose_name_never_came_is_looked_for(void **state)
{
    (void)state;
    struct recipe_job job =
        PLAY(RECIPE_DEPROVISION, job_with(ORDER, ""), STEP_DONE, NULL, {"find_instance", LIST, 502, "<html>", 0},
             {"find_instance", LIST, 200,
              "{\"apps\":[{\"appName\":\"app-0\",\"subscriptionId\":\"sub_0\"},"
              "{\"appName\":\"app-1\",\"subscriptionId\":\"sub_1\"}]}",
              0},
             {"delete_instance", DELETE, 200, "{}", 0});
    assert_string_equal(job.found.app_name, "app-1");
    args_deinit(&job.args);
    job =
        PLAY(RECIPE_DEPROVISION, job_with(ORDER, ""), STEP_DONE, NULL, {"find_instance", LIST, 200, "{\"apps\":[]}", 0},
             {"find_instance", LIST, 200, "{\"apps\":[]}", 4000}, {"find_instance", LIST, 200, "{\"apps\":[]}", 4000});
    args_deinit(&job.args);
    job =
        PLAY(RECIPE_DEPROVISION, job_with(ORDER, ""), STEP_DONE, NULL, {"find_instance", LIST, 200, "{\"apps\":[]}", 0},
             {"find_instance", LIST, 200, "{\"apps\":[{\"appName\":\"app-1\",\"subscriptionId\":\"sub_1\"}]}", 4000},
             {"delete_instance", DELETE, 200, "{}", 0});
    args_deinit(&job.args);
}

static void what_is_always_lost_ends_in_failure(void **state)
{
    (void)state;
    struct recipe_job job = scene_play(&(struct scene){
        .recipe = &RECIPE_DEPROVISION,
        .job = job_with(ORDER, "app-1"),
        .acts = (const struct act[]){{"delete_instance", DELETE, 0, NULL, 0}, {"delete_instance", DELETE, 0, NULL, 0}},
        .act_count = 2,
        .attempts_max = 2,
        .end = STEP_RETRY});
    assert_string_equal(job.found.intent, "delete_instance");
    args_deinit(&job.args);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_instance_is_brought),
        cmocka_unit_test(a_lost_answer_is_asked_for_by_the_same_call),
        cmocka_unit_test(a_refused_instance_fails_at_once),
        cmocka_unit_test(an_order_that_says_too_little_is_not_sent),
        cmocka_unit_test(limits_are_given),
        cmocka_unit_test(limits_of_an_instance_that_is_gone_are_refused),
        cmocka_unit_test(an_instance_is_taken_away),
        cmocka_unit_test(an_instance_whose_name_never_came_is_looked_for),
        cmocka_unit_test(what_is_always_lost_ends_in_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
