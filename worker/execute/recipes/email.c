/* email.c - sends one e-mail, once.
 *
 * The job's id is the Idempotency-Key: as long as Resend remembers it, the same call again sends nothing more, and a
 * call that says something else under the same key (new templates, another sender) is told that the first was sent.
 */
#include "common/fault.h"
#include "worker/clouds/resend.h"
#include "worker/execute/recipes/recipes.h"

#define KEY_REMEMBERED_MS (INT64_C(23) * 3600 * 1000) /* Resend says 24 h */
#define PART_BYTES_MAX    ((size_t)96 * 1024)

static struct step_result build(struct recipe_job *job, const struct recipe_settings *settings, const char *template,
                                struct sl_buf parts[TEMPLATE_KIND_COUNT], struct cloud_request *request)
{
    for (int part = 0; part < TEMPLATE_KIND_COUNT; part++)
        if (!emails_render(settings->emails, template, (enum template_kind)part, &job->args, &parts[part]))
            return step_refused("the e-mail %s is too long", template);
    const struct resend_email email = {
        .idempotency_key = sl_str_of(job->id_text),
        .to = sl_str_of(recipe_arg(job, "to")),
        .subject = sl_buf_str(&parts[TEMPLATE_SUBJECT]),
        .text = sl_buf_str(&parts[TEMPLATE_TEXT]),
        .html = sl_buf_str(&parts[TEMPLATE_HTML]),
        .template = sl_str_of(template),
    };
    struct sl_err err = {0};
    bool built = resend_send(&settings->accounts[CLOUD_RESEND], &email, request, &err);
    return step_call_if(built, &err);
}

static struct step_result send_prepare(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                       struct cloud_request *request)
{
    const char *template = recipe_arg(job, "template");
    if (!emails_have(template))
        return step_refused("there is no e-mail \"%.60s\"", template);
    if (recipe_arg(job, "to")[0] == '\0')
        return step_refused("the e-mail %s has no recipient", template);
    if (job->found.doubt_from_ms != 0 && now_ms - job->found.doubt_from_ms > KEY_REMEMBERED_MS)
        return step_refused("the e-mail %s may have been sent, and Resend doesn't remember: it is not sent again",
                            template);
    struct sl_buf parts[TEMPLATE_KIND_COUNT];
    for (int part = 0; part < TEMPLATE_KIND_COUNT; part++)
        sl_buf_init(&parts[part], PART_BYTES_MAX);
    struct step_result result = build(job, settings, template, parts, request);
    for (int part = 0; part < TEMPLATE_KIND_COUNT; part++)
        sl_buf_deinit(&parts[part]);
    return result;
}

static struct step_result send_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                    const struct sl_http_response *response)
{
    (void)job;
    (void)settings;
    (void)now_ms;
    (void)response;
    sl_fault("execute.email_sent");
    return step_done();
}

/* Under this key an e-mail was sent already. */
static struct step_result send_refused(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                       const struct classification *refusal)
{
    (void)settings;
    (void)now_ms;
    if (refusal->cause == CAUSE_CONFLICT)
        return step_done();
    return step_refused("the e-mail %.60s: %s", recipe_arg(job, "template"), refusal->error.message);
}

static const struct step steps[] = {
    {.name = "send",
     .cloud = CLOUD_RESEND,
     .mutates = true,
     .idempotent = true,
     .look = "send",
     .wait_max_ms = MINUTES_MS(10),
     .prepare = send_prepare,
     .done = send_done,
     .refused = send_refused},
};

const struct recipe RECIPE_EMAIL = {.kind = JOB_EMAIL,
                                    .backend = "resend",
                                    .home = CLOUD_RESEND,
                                    .may_cancel = true,
                                    .steps = steps,
                                    .step_count = SL_ARRAY_LEN(steps),
                                    .first = "send"};
