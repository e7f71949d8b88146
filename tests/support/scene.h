/* scene.h - plays a recipe against literal replies: what each step must send, what it is answered, and how the job must
 * end.
 *
 * The player does with a flight what the engine does, without clocks, sockets and Postgres: so a scene reads like a
 * story.
 */
#ifndef SUPPORT_SCENE_H
#define SUPPORT_SCENE_H

#include "worker/execute/recipe.h"

/* One call: what must be sent, and the reply. `at_ms` moves the clock forward before it. Status 0: no answer, -1: not
 * sent. */
struct act {
    const char *step;
    const char *request; /* "POST /servers/42/actions/poweron"; "POST /path\nbody" where the body counts */
    int status;
    const char *body;
    int64_t at_ms;
};

struct scene {
    const struct recipe *recipe;
    struct recipe_job job;
    const struct act *acts;
    size_t act_count;
    const char *const *sends; /* a part of each act's body, in order; NULL: none is looked at */
    enum step_action end;     /* DONE, REFUSED, WAITING; RETRY: attempts were used up */
    const char *error;        /* part of the end's error; NULL: none */
    int attempts_max;         /* 0: 8 */
};

/* The keys that the player's recipes open tokens with; the caller destroys its copy. */
struct sl_seal_ring *scene_keys(void);

/* Fails the test where the recipe doesn't play along. Gives the job as it ended, the caller's to deinit where it holds
 * anything on the heap (it takes over what scene->job held). */
struct recipe_job scene_play(const struct scene *scene);

/* Gives the job its jobs.args, to be freed with args_deinit(&job.args) at the end. */
void scene_args(struct recipe_job *job, const char *json);

/* A job like those of the tests: ids of its own, server "42", device "nDEV" where told. */
struct recipe_job scene_job(bool with_server, bool with_device);
#define SCENE_JOB_ID               "11111111-1111-4111-8111-111111111111"
#define SCENE_AGENT_ID             "22222222-2222-4222-8222-222222222222"
#define SCENE_PROVISION_ID         "33333333-3333-4333-8333-333333333333"
#define SCENE_PROVISION_TIMEOUT_MS INT64_C(1800000)
#define SCENE_NOW_MS               INT64_C(1795255200000) /* 2026-11-21T10:00:00Z */

#endif
