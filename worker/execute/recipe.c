/* recipe.c - finding recipes and steps, and the words that steps answer with. */
#include "worker/execute/recipe.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/secret.h"
#include "worker/execute/recipes/recipes.h"

static const struct recipe *const all[] = {
    &RECIPE_PROVISION_GITHUB,
    &RECIPE_PROVISION_HETZNER,
    &RECIPE_PROVISION_PROVISIONER,
    &RECIPE_START,
    &RECIPE_STOP,
    &RECIPE_DESTROY,
    &RECIPE_ROLLBACK,
    &RECIPE_UPDATE_LIMITS,
    &RECIPE_DEPROVISION,
    &RECIPE_EMAIL,
    &RECIPE_STRIPE_CHECKOUT,
    &RECIPE_STRIPE_CANCEL,
    &RECIPE_STRIPE_RESUME,
    &RECIPE_GRAPH_CATALOG,
};

const struct recipe *const *recipes_all(size_t *ret_count)
{
    *ret_count = SL_ARRAY_LEN(all);
    return all;
}

const struct recipe *recipe_of(enum job_kind kind, struct sl_str backend, struct sl_str op)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(all); i++)
        if (all[i]->kind == kind && (!all[i]->backend || sl_str_is(backend, all[i]->backend)) &&
            (!all[i]->op || sl_str_is(op, all[i]->op)))
            return all[i];
    return NULL;
}

const struct step *recipe_step(const struct recipe *recipe, struct sl_str name)
{
    for (size_t i = 0; i < recipe->step_count; i++)
        if (sl_str_is(name, recipe->steps[i].name))
            return &recipe->steps[i];
    return NULL;
}

void recipe_check(const struct recipe *recipe)
{
    SL_ASSERT(recipe->step_count > 0 && recipe->step_count <= RECIPE_STEPS_MAX);
    SL_ASSERT(recipe_step(recipe, sl_str_of(recipe->first)));
    for (size_t i = 0; i < recipe->step_count; i++) {
        const struct step *step = &recipe->steps[i];
        SL_ASSERT(step->name[0] != '\0' && strlen(step->name) < sizeof(((struct findings *)0)->intent));
        SL_ASSERT(recipe_step(recipe, sl_str_of(step->name)) == step);
        SL_ASSERT(step->cloud > CLOUD_NONE && step->cloud < CLOUD_COUNT && step->prepare && step->done);
        SL_ASSERT(!step->mutates || step->look);
        SL_ASSERT(!step->mutates || step->idempotent || strcmp(step->look, step->name) != 0);
        SL_ASSERT(!step->look || recipe_step(recipe, sl_str_of(step->look)));
        SL_ASSERT(!step->give_up || recipe_step(recipe, sl_str_of(step->give_up)));
        SL_ASSERT(step->wait_max_ms > 0);
    }
}

struct step_result recipe_answer(const struct step *step, struct recipe_job *job, int *attempt,
                                 const struct recipe_settings *settings, int64_t now_ms,
                                 const struct sl_http_response *response, const struct classification *seen)
{
    struct findings *found = &job->found;
    if (seen->verdict == VERDICT_UNKNOWN) {
        if (step->idempotent && found->doubt_from_ms == 0)
            found->doubt_from_ms = now_ms;
        struct step_result result = step_retry(step->look, "%s", seen->error.message);
        result.after_ms = seen->after_ms;
        return result;
    }
    if (step->mutates && seen->verdict != VERDICT_DONE)
        found->intent[0] = '\0';
    if (seen->verdict == VERDICT_NOT_DONE && seen->cause == CAUSE_LOCKED)
        return step_wait_at(step->name, seen->after_ms);
    if (seen->verdict == VERDICT_NOT_DONE && seen->cause == CAUSE_CAPACITY && step->no_room)
        return step->no_room(job, settings, now_ms, seen);
    if (seen->verdict == VERDICT_NOT_DONE) {
        struct step_result result = step_retry(NULL, "%s", seen->error.message);
        result.after_ms = seen->after_ms;
        result.attempts_max = seen->attempts_max;
        return result;
    }
    if (seen->verdict == VERDICT_REFUSED)
        return step->refused ? step->refused(job, settings, now_ms, seen)
                             : step_refused("%s: %s", step->name, seen->error.message);

    struct step_result result = step->done(job, settings, now_ms, response);
    if (result.action == STEP_RETRY)
        return result; /* an answer that can't be read, or that isn't what was hoped for: the intent stays open */
    if (step->mutates) {
        found->intent[0] = '\0';
        (void)snprintf(found->changed, sizeof(found->changed), "%s", step->name);
        /* what failed before was something else, and is behind us */
        if (!step->preparatory && strcmp(found->failed, step->name) != 0) {
            found->failed[0] = '\0';
            found->floor = 0;
        }
    }
    found->closed_from_ms = 0;
    *attempt = (int)found->floor;
    return result;
}

void recipe_failed(const struct step *step, struct recipe_job *job, const struct step_result *result, int *attempt)
{
    struct findings *found = &job->found;
    ++*attempt;
    found->waits_from_ms = 0;
    if (!step->mutates && !result->next)
        return; /* a read that is simply made again */
    found->floor = *attempt;
    (void)snprintf(found->failed, sizeof(found->failed), "%s", step->mutates ? step->name : found->changed);
}

const char *recipe_give_up(const struct step *step, struct recipe_job *job, int *attempt)
{
    if (!step->give_up)
        return NULL;
    job->found.intent[0] = '\0';
    job->found.failed[0] = '\0';
    job->found.floor = 0;
    job->found.page = 0;
    job->found.closed_from_ms = 0;
    *attempt = 0;
    return step->give_up;
}

void recipe_job_deinit(struct recipe_job *job)
{
    args_deinit(&job->args);
    sl_secret_wipe(&job->auth_key, sizeof(job->auth_key));
    free(job->sealed);
    job->sealed = NULL;
    findings_deinit(&job->found);
}

const char *recipe_closed(const struct step *step, struct recipe_job *job, const struct recipe_settings *settings,
                          int64_t now_ms, int *attempt)
{
    if (!step->give_up)
        return NULL;
    if (job->found.closed_from_ms == 0)
        job->found.closed_from_ms = now_ms;
    if (now_ms - job->found.closed_from_ms < settings->run_stop_max_ms)
        return NULL;
    return recipe_give_up(step, job, attempt);
}

void recipe_left_open(const struct step *step, struct recipe_job *job)
{
    struct findings *found = &job->found;
    if (step->idempotent && found->doubt_from_ms == 0 && strcmp(found->intent, step->name) == 0)
        found->doubt_from_ms = found->intent_at_ms;
}

const char *recipe_arg(const struct recipe_job *job, const char *name)
{
    return args_text(&job->args, name);
}

struct step_result step_call_if(bool built, const struct sl_err *err)
{
    if (!built)
        return step_refused("%s", err->message);
    return (struct step_result){.action = STEP_CALL};
}

struct step_result step_next(const char *next)
{
    return (struct step_result){.action = STEP_NEXT, .next = next};
}

struct step_result step_next_noting(const char *next, const char *format, ...)
{
    struct step_result result = {.action = STEP_NEXT, .next = next};
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(result.error, sizeof(result.error), format, arguments);
    va_end(arguments);
    return result;
}

struct step_result step_wait(void)
{
    return (struct step_result){.action = STEP_WAIT};
}

struct step_result step_wait_at(const char *next, int64_t after_ms)
{
    return (struct step_result){.action = STEP_WAIT, .next = next, .after_ms = after_ms};
}

struct step_result step_retry(const char *next, const char *error_format, ...)
{
    struct step_result result = {.action = STEP_RETRY, .next = next};
    va_list arguments;
    va_start(arguments, error_format);
    (void)vsnprintf(result.error, sizeof(result.error), error_format, arguments);
    va_end(arguments);
    return result;
}

struct step_result step_refused(const char *error_format, ...)
{
    struct step_result result = {.action = STEP_REFUSED};
    va_list arguments;
    va_start(arguments, error_format);
    (void)vsnprintf(result.error, sizeof(result.error), error_format, arguments);
    va_end(arguments);
    return result;
}

struct step_result step_done(void)
{
    return (struct step_result){.action = STEP_DONE};
}

struct step_result step_waiting(void)
{
    return (struct step_result){.action = STEP_WAITING};
}

struct step_result step_unreadable(const char *look)
{
    return step_retry(look, "the cloud answered with a body that can't be read");
}
