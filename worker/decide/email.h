/* email.h - e-mails as rules order them: a job of kind `email`, or a note that nobody could be written to.
 *
 * Private to decide/. Templates and their variables: deploy/emails. A decision writes to one address at most once.
 */
#ifndef DECIDE_EMAIL_H
#define DECIDE_EMAIL_H

#include "worker/decide/detail.h"
#include "worker/decide/plan.h"

#define EMAIL_VARIABLES_MAX 6

/* Orders the e-mail: args are "template", "to" and the members (at most EMAIL_VARIABLES_MAX; empty ones are left
 * out). Without an address there is no job, but the audit `email_skipped` says so, and the shell logs it. */
void effect_email(struct plan *plan, const struct facts *facts, const char *template_name, struct sl_str to,
                  const struct detail *members, size_t member_count);

/* The user's newest address: what the event teaches counts already. Empty: none is known. */
struct sl_str email_of_user(const struct facts *facts, const struct input *input);

#endif
