/* scene.c - the player of scenes. */
#include "tests/support/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/reply.h"

#define STEPS_WITHOUT_CALL_MAX 20

static const struct cloud_account accounts[CLOUD_COUNT] = {
    [CLOUD_HETZNER] = {.base_url = "http://h", .token = {.ptr = "t", .len = 1}},
    [CLOUD_TAILSCALE] = {.base_url = "http://t", .token = {.ptr = "t", .len = 1}, .tailnet = "-"},
    [CLOUD_GITHUB] = {.base_url = "http://g",
                      .token = {.ptr = "t", .len = 1},
                      .owner = "o",
                      .repo = "r",
                      .workflow = "w.yml",
                      .ref = "main",
                      .api_version = "2022-11-28",
                      .app_url = "https://app"},
    [CLOUD_STRIPE] = {.base_url = "http://s", .token = {.ptr = "t", .len = 1}, .api_version = "2026-10-28.endive"},
    [CLOUD_GRAPH] = {.base_url = "http://m"},
    [CLOUD_PROVISIONER] = {.base_url = "http://p", .token = {.ptr = "key", .len = 3}},
    [CLOUD_RESEND] = {.base_url = "http://e", .token = {.ptr = "t", .len = 1}, .from = "Sluice <s@sluice.example>"},
};
static const struct hosting hosting = {
    .regions = {{.name = "us-east", .locations = {"ash", "hil"}, .location_count = 2}},
    .region_count = 1,
    .plans = {{.name = "enterprise", .server_type = "cpx31"}},
    .plan_count = 1,
    .server_type = "cpx11",
    .image = "ubuntu-24.04",
    .tags = "tag:agent",
    .key_expiry_s = 600,
};
static struct recipe_settings settings = {.accounts = accounts,
                                          .stop_grace_ms = 60000,
                                          .run_stop_max_ms = 300000,
                                          .look_ms = 4000,
                                          .looks_max = 3,
                                          .provision_timeout_ms = SCENE_PROVISION_TIMEOUT_MS,
                                          .hosting = &hosting};

struct sl_seal_ring *scene_keys(void)
{
    struct sl_seal_ring *ring = NULL;
    struct sl_err err = {0};
    if (!sl_seal_ring_create(SL_STR("k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="), &ring, &err))
        fail_msg("no keys: %s", err.message);
    return ring;
}

void scene_args(struct recipe_job *job, const char *json)
{
    SL_JSON_AUTO *args = NULL;
    assert_true(sl_json_parse(sl_str_of(json), 0, &args, NULL));
    assert_true(args_read(args, &job->args, NULL));
}

struct recipe_job scene_job(bool with_server, bool with_device)
{
    struct recipe_job job = {.id_text = SCENE_JOB_ID,
                             .agent_text = SCENE_AGENT_ID,
                             .agent_name = "agent-" SCENE_AGENT_ID,
                             .user_id = "u1",
                             .region = "us-east",
                             .run_from_ms = SCENE_NOW_MS - 3600000};
    if (with_server)
        snprintf(job.found.server_id, sizeof(job.found.server_id), "42");
    if (with_device)
        snprintf(job.found.tailscale_device_id, sizeof(job.found.tailscale_device_id), "nDEV");
    return job;
}

struct player {
    const struct scene *scene;
    struct recipe_job job;
    const struct step *step;
    int64_t now_ms;
    int attempt;
    size_t act;
    struct cloud_request request;
};

static void go_to(struct player *player, const char *name)
{
    const struct step *step = name ? recipe_step(player->scene->recipe, sl_str_of(name)) : player->step;
    if (!step)
        fail_msg("act %zu: there is no step \"%s\"", player->act, name);
    if (step != player->step)
        player->job.found.waits_from_ms = 0;
    player->step = step;
}

/* Until a step wants to call, or the recipe ends. */
static struct step_result prepare(struct player *player)
{
    for (int i = 0; i < STEPS_WITHOUT_CALL_MAX; i++) {
        struct step_result result = player->step->prepare(&player->job, &settings, player->now_ms, &player->request);
        if (result.action != STEP_NEXT)
            return result;
        go_to(player, result.next);
    }
    fail_msg("act %zu: step %s turns in a circle", player->act, player->step->name);
    return step_done();
}

/* The body counts where the act names one. */
static void check_call(const struct player *player, const struct act *act)
{
    char sent[2 * CLOUD_URL_BYTES_MAX];
    bool with_body = strchr(act->request, '\n') != NULL;
    struct sl_str body = with_body ? player->request.http.body : SL_STR_NONE;
    snprintf(sent, sizeof(sent), "%s %s%s%" SL_STR_FMT, player->request.http.method,
             player->request.http.url + player->request.path_at, with_body ? "\n" : "", SL_STR_ARG(body));
    if (strcmp(act->step, player->step->name) != 0 || strcmp(act->request, sent) != 0)
        fail_msg("act %zu: expected step %s to send \"%s\", but step %s sends \"%s\"", player->act, act->step,
                 act->request, player->step->name, sent);
    const char *part = player->scene->sends ? player->scene->sends[player->act] : NULL;
    if (part && !strstr(player->request.body.data ? player->request.body.data : "", part))
        fail_msg("act %zu: step %s sends the body %s, without %s", player->act, player->step->name,
                 player->request.body.data, part);
}

static struct step_result answer(struct player *player, const struct act *act)
{
    struct sl_http_response response = reply_of(act->status, NULL, act->body ? act->body : "");
    struct classification seen;
    if (player->step->mutates && strcmp(player->job.found.intent, player->step->name) != 0) {
        snprintf(player->job.found.intent, sizeof(player->job.found.intent), "%s", player->step->name);
        player->job.found.intent_at_ms = player->now_ms;
    }
    classify(cloud_of(player->step->cloud), player->step->mutates, &response, player->now_ms, &seen);
    return recipe_answer(player->step, &player->job, &player->attempt, &settings, player->now_ms, &response, &seen);
}

/* True when the recipe has ended. */
static bool follow(struct player *player, struct step_result *result)
{
    int attempts_max = player->scene->attempts_max ? player->scene->attempts_max : 8;
    if (result->action == STEP_NEXT) {
        go_to(player, result->next);
        return false;
    }
    if (result->action == STEP_WAIT) {
        go_to(player, result->next);
        if (player->job.found.waits_from_ms == 0)
            player->job.found.waits_from_ms = player->now_ms;
        if (player->now_ms - player->job.found.waits_from_ms <= player->step->wait_max_ms)
            return false;
        *result = step_retry(player->step->look, "step %s has waited for too long", player->step->name);
    }
    if (result->action != STEP_RETRY)
        return true;
    recipe_failed(player->step, &player->job, result, &player->attempt);
    go_to(player, result->next);
    if (result->attempts_max > 0 && result->attempts_max < attempts_max)
        attempts_max = result->attempts_max;
    if (player->attempt < attempts_max)
        return false;
    const char *next = recipe_give_up(player->step, &player->job, &player->attempt);
    if (next)
        go_to(player, next);
    return !next;
}

static void check_end(const struct player *player, const struct step_result *result)
{
    const struct scene *scene = player->scene;
    if (player->act < scene->act_count)
        fail_msg("the recipe ended (%d, \"%s\") before act %zu", (int)result->action, result->error, player->act);
    if (result->action != scene->end)
        fail_msg("the recipe ended with %d \"%s\" instead of %d", (int)result->action, result->error, (int)scene->end);
    if (scene->error && !strstr(result->error, scene->error))
        fail_msg("the error is \"%s\", without \"%s\"", result->error, scene->error);
}

struct recipe_job scene_play(const struct scene *scene)
{
    struct sl_seal_ring *keys = scene_keys();
    struct player player = {.scene = scene, .job = scene->job, .now_ms = SCENE_NOW_MS};
    struct step_result result;
    struct emails *emails = emails_create(NULL, NULL);
    assert_non_null(emails);
    settings.emails = emails;
    settings.data_keys = keys;
    player.step = recipe_step(scene->recipe, sl_str_of(scene->recipe->first));
    cloud_request_init(&player.request);
    for (;;) {
        result = prepare(&player);
        if (result.action != STEP_CALL)
            break;
        if (player.act >= scene->act_count)
            fail_msg("after the last act step %s sends \"%s\"", player.step->name, player.request.http.url);
        const struct act *act = &scene->acts[player.act];
        player.now_ms += act->at_ms;
        check_call(&player, act);
        player.act++;
        result = answer(&player, act);
        if (follow(&player, &result))
            break;
    }
    check_end(&player, &result);
    cloud_request_deinit(&player.request);
    settings.data_keys = NULL;
    sl_seal_ring_destroy(keys);
    settings.emails = NULL;
    emails_destroy(emails);
    return player.job;
}
