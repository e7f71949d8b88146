/* email.c - see email.h. */
#include "worker/decide/email.h"

void effect_email(struct plan *plan, const struct facts *facts, const char *template_name, struct sl_str to,
                  const struct detail *members, size_t member_count)
{
    struct detail args[EMAIL_VARIABLES_MAX + 2] = {{"template", sl_str_of(template_name)}, {"to", to}};
    size_t count = 2;
    SL_ASSERT(member_count <= EMAIL_VARIABLES_MAX);
    if (sl_str_empty(to)) {
        const struct detail skipped[] = {{"template", sl_str_of(template_name)}, {"reason", SL_STR("no address")}};
        plan_audit(plan, "email_skipped", plan_target_named(plan, "user", facts->user.id),
                   detail_object(plan->arena, skipped, SL_ARRAY_LEN(skipped)));
        return;
    }
    for (size_t i = 0; i < member_count; i++)
        args[count++] = members[i];
    (void)plan_job_new_plain(plan, facts, JOB_EMAIL, "resend", detail_object(plan->arena, args, count));
}

struct sl_str email_of_user(const struct facts *facts, const struct input *input)
{
    int64_t created_s = input->created_s ? input->created_s : input->received_at_ms / 1000;
    bool is_newer = !sl_str_empty(input->email) && created_s >= facts->user.email_created_s;
    return is_newer ? input->email : facts->user.email;
}
