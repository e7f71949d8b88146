/* recipes.h - the recipes, and the steps that several of them share. Private to recipe.c and this folder. */
#ifndef EXECUTE_RECIPES_RECIPES_H
#define EXECUTE_RECIPES_RECIPES_H

#include "worker/clouds/hetzner.h"
#include "worker/clouds/provisioner.h"
#include "worker/execute/recipe.h"

extern const struct recipe RECIPE_PROVISION_GITHUB, RECIPE_PROVISION_HETZNER, RECIPE_PROVISION_PROVISIONER;
extern const struct recipe RECIPE_START, RECIPE_STOP, RECIPE_DESTROY, RECIPE_ROLLBACK;
extern const struct recipe RECIPE_UPDATE_LIMITS, RECIPE_DEPROVISION, RECIPE_EMAIL;

extern const struct recipe RECIPE_STRIPE_CHECKOUT, RECIPE_STRIPE_CANCEL, RECIPE_STRIPE_RESUME, RECIPE_GRAPH_CATALOG;

#define MINUTES_MS(n) (INT64_C(60000) * (n))
#define DAYS_MS(n)    (MINUTES_MS(1440) * (n))

/* The limits that jobs.args of an instance name. Borrowed from the job. */
struct provisioner_limits instance_limits(const struct recipe_job *job);

/* GET of the job's server. */
struct step_result server_prepare_get(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                      struct cloud_request *request);
/* A server that start or stop needs isn't there any more: for good. */
struct step_result server_refused_get(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                      const struct classification *refusal);
/* Builds a power command for the job's server. */
struct step_result server_prepare_power(const struct recipe_job *job, const struct recipe_settings *settings,
                                        enum hetzner_power power, struct cloud_request *request);
/* A power command was taken: its action is waited for (step "wait_action"), or the server looked at ("look_server")
 * when the body can't be read. */
struct step_result power_changed(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                 const struct sl_http_response *response);
/* GET of the action under way. */
struct step_result server_prepare_action(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                         struct cloud_request *request);
/* Waits while it runs; then `next`; a failed action is a failed attempt from `look` on. */
struct step_result server_action_polled(struct recipe_job *job, const struct sl_http_response *response,
                                        const char *next, const char *look);

/* The Idempotency-Key of a step: the same for every attempt of the job. */
struct sl_str stripe_key(const struct recipe_job *job, const char *step, char storage[CLOUD_KEY_BYTES]);

/* "wait_action" of start and stop: then "verify_power", or "look_server" when the action failed; an action that isn't
 * known any more has ended. */
struct step_result power_polled(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                const struct sl_http_response *response);
struct step_result power_forgotten(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                   const struct classification *refusal);
#define POWER_WAIT_ACTION                                                                                              \
    {                                                                                                                  \
        .name = "wait_action", .cloud = CLOUD_HETZNER, .wait_max_ms = MINUTES_MS(10),                                  \
        .prepare = server_prepare_action, .done = power_polled, .refused = power_forgotten                             \
    }

/* The steps of an undoing: destroy.c has them, rollback.c uses the same. */
#define UNDO_STEP_COUNT 12
extern const struct step UNDO_STEPS[UNDO_STEP_COUNT];

#endif
