/* recipes.h - the recipes, and the steps that several of them share. Private to recipe.c and this folder. */
#ifndef EXECUTE_RECIPES_RECIPES_H
#define EXECUTE_RECIPES_RECIPES_H

#include "worker/clouds/hetzner.h"
#include "worker/execute/recipe.h"

extern const struct recipe RECIPE_PROVISION_GITHUB, RECIPE_START, RECIPE_STOP, RECIPE_DESTROY, RECIPE_ROLLBACK;

#define MINUTES_MS(n) (INT64_C(60000) * (n))

/* GET of the job's server. */
struct step_result server_prepare_get(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                      struct cloud_request *request);
/* A server that start or stop needs isn't there any more: for good. */
struct step_result server_refused_get(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                      const struct classification *refusal);
/* Builds a power command for the job's server. */
struct step_result server_prepare_power(const struct recipe_job *job, const struct recipe_settings *settings,
                                        enum hetzner_power power, struct cloud_request *request);
/* Remembers the action that a command started; then step `next`, or `look` when the body can't be read. */
struct step_result server_action_started(struct recipe_job *job, const struct sl_http_response *response,
                                         const char *next, const char *look);
/* GET of the action under way. */
struct step_result server_prepare_action(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                         struct cloud_request *request);
/* Waits while it runs; then `next`; a failed action is a failed attempt from `look` on. */
struct step_result server_action_polled(struct recipe_job *job, const struct sl_http_response *response,
                                        const char *next, const char *look);

/* The steps of an undoing: destroy.c has them, rollback.c uses the same. */
#define UNDO_STEP_COUNT 12
extern const struct step UNDO_STEPS[UNDO_STEP_COUNT];

#endif
