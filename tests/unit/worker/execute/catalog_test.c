/* A connection's teams and channels, played against literal replies; tokens that may not be opened; limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/scene.h"
#include "worker/execute/recipes/recipes.h"

#define WORKSPACE         "44444444-4444-4444-8444-444444444444"
#define TEAMS             "GET /v1.0/me/joinedTeams"
#define CHANNELS(t)       "GET /v1.0/teams/" t "/channels"
#define ONE(id)           "{\"value\":[{\"id\":\"" id "\",\"displayName\":\"N" id "\"}]}"
#define GRAPH_ERROR(code) "{\"error\":{\"code\":\"" code "\",\"message\":\"no: " code "\"}}"

#define PLAY(job_of, how_it_ends, error_of, ...)                                                                       \
    scene_play(&(struct scene){.recipe = &RECIPE_GRAPH_CATALOG,                                                        \
                               .job = (job_of),                                                                        \
                               .acts = (const struct act[]){__VA_ARGS__},                                              \
                               .act_count = sizeof((const struct act[]){__VA_ARGS__}) / sizeof(struct act),            \
                               .end = (how_it_ends),                                                                   \
                               .error = (error_of)})

/* A job with a token sealed for one workspace, and args that name another, perhaps. */
static struct recipe_job job_of(const char *workspace, const char *scope)
{
    struct recipe_job job = scene_job(false, false);
    struct sl_seal_ring *ring = scene_keys();
    static const uint8_t nonce[SL_SEAL_NONCE_BYTES] = {1};
    struct sl_buf sealed;
    char args[256];
    SL_JSON_AUTO *json = NULL;
    snprintf(args, sizeof(args), "{\"workspace_id\":\"%s\",\"connection_id\":\"c1\",\"scope\":\"%s\"}", workspace,
             scope);
    assert_true(sl_json_parse(sl_str_of(args), 0, &json, NULL));
    assert_true(args_read(json, &job.args, NULL));
    sl_buf_init(&sealed, SL_SEAL_SEALED_MAX);
    const char context[] = WORKSPACE "\0c1";
    assert_true(
        sl_seal(ring, nonce, (struct sl_str){.ptr = context, .len = sizeof(context) - 1}, SL_STR("token"), &sealed));
    job.sealed = sl_buf_take(&sealed);
    sl_seal_ring_destroy(ring);
    return job;
}

static struct recipe_job catalog_job(void)
{
    return job_of(WORKSPACE, "teams");
}

static void check_catalog(const struct recipe_job *job, const char *expected)
{
    struct sl_buf text;
    sl_buf_init(&text, FINDINGS_JSON_BYTES_MAX);
    assert_true(sl_json_write(job->found.catalog, &text));
    assert_string_equal(text.data, expected);
    sl_buf_deinit(&text);
}

static void teams_and_channels_page_after_page(void **state)
{
    (void)state;
    struct recipe_job job =
        PLAY(catalog_job(), STEP_DONE, NULL,
             {"list_teams", TEAMS, 200,
              "{\"value\":[{\"id\":\"t1\",\"displayName\":\"One\"}],\"@odata.nextLink\":\"http://m/v1.0/more\"}", 0},
             {"list_teams", "GET /v1.0/more", 503, "", 0},
             {"list_teams", "GET /v1.0/more", 200, "{\"value\":[{\"id\":\"t2\",\"displayName\":\"Two\"}]}", 0},
             {"list_channels", CHANNELS("t1"), 429, GRAPH_ERROR("TooManyRequests"), 0},
             {"list_channels", CHANNELS("t1"), 200,
              "{\"value\":[{\"id\":\"c1\",\"displayName\":\"General\"}],\"@odata.nextLink\":\"http://m/v1.0/c?2\"}", 0},
             {"list_channels", "GET /v1.0/c?2", 200, "{\"value\":[{\"id\":\"c2\",\"displayName\":\"Ops\"}]}", 0},
             {"list_channels", CHANNELS("t2"), 200, "{\"value\":[]}", 0});
    check_catalog(&job, "[{\"id\":\"t1\",\"name\":\"One\",\"channels\":[{\"id\":\"c1\",\"name\":\"General\"},"
                        "{\"id\":\"c2\",\"name\":\"Ops\"}]},{\"id\":\"t2\",\"name\":\"Two\",\"channels\":[]}]");
    assert_false(job.found.catalog_cut);
    assert_null(job.found.link);
    recipe_job_deinit(&job);
}

static void who_is_in_no_team_has_an_empty_catalog(void **state)
{
    (void)state;
    struct recipe_job job = PLAY(catalog_job(), STEP_DONE, NULL, {"list_teams", TEAMS, 200, "{\"value\":[]}", 0});
    check_catalog(&job, "[]");
    recipe_job_deinit(&job);
}

static void a_team_that_went_away_is_left_out(void **state)
{
    (void)state;
    struct recipe_job job = PLAY(catalog_job(), STEP_DONE, NULL,
                                 {"list_teams", TEAMS, 200, "{\"value\":[{\"id\":\"t1\"},{\"id\":\"t2\"}]}", 0},
                                 {"list_channels", CHANNELS("t1"), 404, GRAPH_ERROR("NotFound"), 0},
                                 {"list_channels", CHANNELS("t2"), 200, ONE("c"), 0});
    check_catalog(&job, "[{\"id\":\"t2\",\"name\":\"\",\"channels\":[{\"id\":\"c\",\"name\":\"Nc\"}]}]");
    recipe_job_deinit(&job);
}

static void a_token_that_is_refused_ends_it(void **state)
{
    (void)state;
    struct recipe_job job = PLAY(catalog_job(), STEP_REFUSED, "no: InvalidAuthenticationToken",
                                 {"list_teams", TEAMS, 401, GRAPH_ERROR("InvalidAuthenticationToken"), 0});
    recipe_job_deinit(&job);
    job = PLAY(catalog_job(), STEP_REFUSED, "no: Forbidden", {"list_teams", TEAMS, 200, ONE("t1"), 0},
               {"list_channels", CHANNELS("t1"), 403, GRAPH_ERROR("Forbidden"), 0});
    recipe_job_deinit(&job);
    job = PLAY(catalog_job(), STEP_REFUSED, "not behind http://m",
               {"list_teams", TEAMS, 200, "{\"value\":[],\"@odata.nextLink\":\"http://evil/v1.0/x\"}", 0});
    recipe_job_deinit(&job);
}

static void answers_that_are_no_lists_are_asked_for_again(void **state)
{
    (void)state;
    const struct act acts[] = {{"list_teams", TEAMS, 200, "<html>", 0}, {"list_teams", TEAMS, 0, NULL, 0}};
    struct scene scene = {.recipe = &RECIPE_GRAPH_CATALOG,
                          .job = catalog_job(),
                          .acts = acts,
                          .act_count = 2,
                          .end = STEP_RETRY,
                          .attempts_max = 2};
    struct recipe_job job = scene_play(&scene);
    recipe_job_deinit(&job);
}

static void no_call_with_a_token_that_may_not_be_opened(void **state)
{
    (void)state;
    struct {
        struct recipe_job job;
        const char *error;
    } cases[] = {{job_of(WORKSPACE, "teams"), "no member"},
                 {job_of("55555555-5555-4555-8555-555555555555", "teams"), NULL},
                 {job_of(WORKSPACE, "mail"), "\"mail\" is no scope"}};
    free(cases[0].job.sealed);
    cases[0].job.sealed = NULL;
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        struct scene scene = {
            .recipe = &RECIPE_GRAPH_CATALOG, .job = cases[i].job, .end = STEP_REFUSED, .error = cases[i].error};
        struct recipe_job job = scene_play(&scene);
        recipe_job_deinit(&job);
    }
}

/* The body of a list of that many, with names of 200 bytes where told. */
static const char *list_of(int count, bool long_names)
{
    static char body[256 * 1024];
    size_t at = (size_t)snprintf(body, sizeof(body), "{\"value\":[");
    for (int i = 0; i < count; i++)
        at += (size_t)snprintf(body + at, sizeof(body) - at, "%s{\"id\":\"i%d\",\"displayName\":\"%0*d\"}",
                               i > 0 ? "," : "", i, long_names ? 200 : 1, i);
    snprintf(body + at, sizeof(body) - at, "]}");
    return body;
}

static void a_team_with_too_many_channels_is_cut_and_says_so(void **state)
{
    (void)state;
    struct recipe_job job = PLAY(catalog_job(), STEP_DONE, NULL, {"list_teams", TEAMS, 200, ONE("t1"), 0},
                                 {"list_channels", CHANNELS("t1"), 200, list_of(201, false), 0});
    assert_true(job.found.catalog_cut);
    assert_int_equal(json_array_size(sl_json_at(job.found.catalog, "0.channels")), 200);
    assert_true(sl_json_bool(job.found.catalog, "0.cut", false));
    recipe_job_deinit(&job);
}

/* Teams that fill the catalog by themselves, and channels that find no room in it: never more than its limit. */
static void a_catalog_has_an_end(void **state)
{
    (void)state;
    static char requests[200][64];
    static struct act acts[201];
    static char channels[256 * 1024];
    struct scene scene = {
        .recipe = &RECIPE_GRAPH_CATALOG, .job = catalog_job(), .acts = acts, .end = STEP_DONE, .act_count = 201};
    snprintf(channels, sizeof(channels), "%s", list_of(5, true));
    acts[0] = (struct act){"list_teams", TEAMS, 200, list_of(300, true), 0};
    for (int i = 0; i < 200; i++) {
        snprintf(requests[i], sizeof(requests[i]), "GET /v1.0/teams/i%d/channels", i);
        acts[i + 1] = (struct act){"list_channels", requests[i], 200, channels, 0};
    }
    struct recipe_job job = scene_play(&scene);
    struct sl_buf text;
    sl_buf_init(&text, FINDINGS_JSON_BYTES_MAX);
    assert_true(job.found.catalog_cut);
    assert_int_equal(json_array_size(job.found.catalog), 200);
    assert_true(sl_json_bool(job.found.catalog, "199.cut", false));
    assert_false(sl_json_bool(job.found.catalog, "0.cut", false));
    assert_true(sl_json_write(job.found.catalog, &text));
    assert_in_range(text.len, FINDINGS_CATALOG_BYTES_MAX - 8 * 1024, FINDINGS_CATALOG_BYTES_MAX);
    sl_buf_deinit(&text);
    recipe_job_deinit(&job);
}

static void a_list_of_empty_pages_has_an_end(void **state)
{
    (void)state;
    static struct act acts[100];
    struct scene scene = {
        .recipe = &RECIPE_GRAPH_CATALOG, .job = catalog_job(), .acts = acts, .end = STEP_DONE, .act_count = 100};
    for (size_t i = 0; i < SL_ARRAY_LEN(acts); i++)
        acts[i] = (struct act){"list_teams", i == 0 ? TEAMS : "GET /v1.0/x", 200,
                               "{\"value\":[],\"@odata.nextLink\":\"http://m/v1.0/x\"}", 0};
    struct recipe_job job = scene_play(&scene);
    assert_true(job.found.catalog_cut);
    recipe_job_deinit(&job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(teams_and_channels_page_after_page),
        cmocka_unit_test(who_is_in_no_team_has_an_empty_catalog),
        cmocka_unit_test(a_team_that_went_away_is_left_out),
        cmocka_unit_test(a_token_that_is_refused_ends_it),
        cmocka_unit_test(answers_that_are_no_lists_are_asked_for_again),
        cmocka_unit_test(no_call_with_a_token_that_may_not_be_opened),
        cmocka_unit_test(a_team_with_too_many_channels_is_cut_and_says_so),
        cmocka_unit_test(a_catalog_has_an_end),
        cmocka_unit_test(a_list_of_empty_pages_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
