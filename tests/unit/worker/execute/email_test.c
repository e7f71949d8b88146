/* One e-mail a job: what is sent, what each answer means, and the same bytes every time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/scene.h"
#include "worker/execute/recipes/recipes.h"

#define SEND        "POST /emails"
#define ERROR(name) "{\"statusCode\":409,\"name\":\"" name "\",\"message\":\"m\"}"
#define WELCOME     "{\"template\":\"welcome\",\"to\":\"ann@user.example\",\"url\":\"https://app-1.example\"}"
#define HOURS_MS(n) (INT64_C(3600000) * (n))

#define PLAY(of, job_of, how_it_ends, error_of, ...)                                                                   \
    scene_play(&(struct scene){.recipe = &(of),                                                                        \
                               .job = (job_of),                                                                        \
                               .acts = (const struct act[]){__VA_ARGS__},                                              \
                               .act_count = sizeof((const struct act[]){__VA_ARGS__}) / sizeof(struct act),            \
                               .sends = sends,                                                                         \
                               .end = (how_it_ends),                                                                   \
                               .error = (error_of)})

static const char *const *sends;

static struct recipe_job job_with(const char *args)
{
    struct recipe_job job = scene_job(false, false);
    scene_args(&job, args);
    return job;
}

static void an_email_is_sent(void **state)
{
    (void)state;
    sends = (const char *const[]){
        "{\"from\":\"Sluice <s@sluice.example>\",\"to\":[\"ann@user.example\"],\"subject\":\"Your agent is ready\","
        "\"text\":\"Welcome!\\n"};
    struct recipe_job job =
        PLAY(RECIPE_EMAIL, job_with(WELCOME), STEP_DONE, NULL, {"send", SEND, 200, "{\"id\":\"e\"}", 0});
    sends = NULL;
    args_deinit(&job.args);
}

static void values_are_escaped_where_they_stand(void **state)
{
    (void)state;
    sends = (const char *const[]){"\"subject\":\"Invitation to <A&B> Bcc: x@y\"",
                                  "<p>O&#39;Hara invites you to the workspace &lt;A&amp;B&gt; Bcc: x@y.</p>"};
    struct recipe_job job =
        PLAY(RECIPE_EMAIL,
             job_with("{\"template\":\"invite\",\"to\":\"a@b.example\",\"workspace_name\":\"<A&B>\\nBcc: x@y\","
                      "\"invited_by\":\"O'Hara\",\"url\":\"https://x/signup?invite=1\"}"),
             STEP_DONE, NULL, {"send", SEND, 0, NULL, 0}, {"send", SEND, 200, "{}", 0});
    sends = NULL;
    args_deinit(&job.args);
}

static void the_same_job_is_the_same_bytes(void **state)
{
    (void)state;
    struct emails *emails = emails_create(NULL, NULL);
    struct cloud_account accounts[CLOUD_COUNT] = {
        [CLOUD_RESEND] = {.base_url = "http://e", .from = "s@sluice.example"}};
    struct recipe_settings settings = {.accounts = accounts, .emails = emails};
    struct recipe_job job = job_with(WELCOME);
    struct cloud_request request;
    char *first = NULL;
    cloud_request_init(&request);
    for (int64_t attempt = 0; attempt < 3; attempt++) {
        struct step_result result =
            RECIPE_EMAIL.steps[0].prepare(&job, &settings, SCENE_NOW_MS + attempt * 1000, &request);
        assert_int_equal(result.action, STEP_CALL);
        if (!first)
            first = sl_strdup(request.body.data);
        assert_string_equal(request.body.data, first);
        struct sl_str key = SL_STR_NONE;
        for (size_t i = 0; i < request.http.header_count; i++)
            if (strcmp(request.http.headers[i].name, "Idempotency-Key") == 0)
                key = request.http.headers[i].value;
        assert_true(sl_str_is(key, SCENE_JOB_ID));
    }
    free(first);
    cloud_request_deinit(&request);
    args_deinit(&job.args);
    emails_destroy(emails);
}

static void answers_that_are_lost_are_asked_for_again(void **state)
{
    (void)state;
    struct recipe_job job =
        PLAY(RECIPE_EMAIL, job_with(WELCOME), STEP_DONE, NULL, {"send", SEND, 0, NULL, 0},
             {"send", SEND, 500, ERROR("application_error"), 0},
             {"send", SEND, 409, ERROR("concurrent_idempotent_requests"), 0}, {"send", SEND, 200, "{}", 2000});
    args_deinit(&job.args);
}

static void what_was_sent_under_the_key_is_done(void **state)
{
    (void)state;
    struct recipe_job job = PLAY(RECIPE_EMAIL, job_with(WELCOME), STEP_DONE, NULL, {"send", SEND, 0, NULL, 0},
                                 {"send", SEND, 409, ERROR("invalid_idempotent_request"), HOURS_MS(22)});
    args_deinit(&job.args);
}

static void a_key_that_may_be_forgotten_is_not_used_again(void **state)
{
    (void)state;
    struct recipe_job job = PLAY(RECIPE_EMAIL, job_with(WELCOME), STEP_REFUSED, NULL, {"send", SEND, 0, NULL, 0},
                                 {"send", SEND, 422, ERROR("validation_error"), HOURS_MS(1)});
    args_deinit(&job.args);
    /* another worker comes upon it a day later */
    job = job_with(WELCOME);
    memcpy(job.found.intent, "send", sizeof("send"));
    job.found.intent_at_ms = SCENE_NOW_MS - HOURS_MS(24);
    recipe_left_open(&RECIPE_EMAIL.steps[0], &job);
    job = scene_play(
        &(struct scene){.recipe = &RECIPE_EMAIL, .job = job, .end = STEP_REFUSED, .error = "it is not sent again"});
    args_deinit(&job.args);
    /* what was only ever refused for a quota is no such thing */
    job = job_with(WELCOME);
    job.found.intent_at_ms = SCENE_NOW_MS - HOURS_MS(24);
    recipe_left_open(&RECIPE_EMAIL.steps[0], &job);
    job = PLAY(RECIPE_EMAIL, job, STEP_DONE, NULL, {"send", SEND, 200, "{}", 0});
    args_deinit(&job.args);
}

static void what_resend_refuses_fails_at_once(void **state)
{
    (void)state;
    struct recipe_job job = PLAY(RECIPE_EMAIL, job_with(WELCOME), STEP_REFUSED, "the e-mail welcome: m",
                                 {"send", SEND, 422, ERROR("invalid_from_address"), 0});
    args_deinit(&job.args);
    job = PLAY(RECIPE_EMAIL, job_with(WELCOME), STEP_REFUSED, "the e-mail welcome: m",
               {"send", SEND, 403, ERROR("validation_error"), 0});
    args_deinit(&job.args);
}

static void an_email_that_is_none_is_not_sent(void **state)
{
    (void)state;
    struct recipe_job job = job_with("{\"template\":\"nothing\",\"to\":\"a@b.example\"}");
    job = scene_play(&(struct scene){
        .recipe = &RECIPE_EMAIL, .job = job, .end = STEP_REFUSED, .error = "there is no e-mail \"nothing\""});
    args_deinit(&job.args);
    job = job_with("{\"template\":\"welcome\"}");
    job = scene_play(
        &(struct scene){.recipe = &RECIPE_EMAIL, .job = job, .end = STEP_REFUSED, .error = "has no recipient"});
    args_deinit(&job.args);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_email_is_sent),
        cmocka_unit_test(values_are_escaped_where_they_stand),
        cmocka_unit_test(the_same_job_is_the_same_bytes),
        cmocka_unit_test(answers_that_are_lost_are_asked_for_again),
        cmocka_unit_test(what_was_sent_under_the_key_is_done),
        cmocka_unit_test(a_key_that_may_be_forgotten_is_not_used_again),
        cmocka_unit_test(what_resend_refuses_fails_at_once),
        cmocka_unit_test(an_email_that_is_none_is_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
