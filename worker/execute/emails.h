/* emails.h - the e-mails there are: their names, their variables, and their texts.
 *
 * The texts are the embedded ones of deploy/emails, or the same files in a folder of the operator's. Immutable once
 * made; any thread may read.
 */
#ifndef EXECUTE_EMAILS_H
#define EXECUTE_EMAILS_H

#include "worker/execute/template.h"

struct emails;

/* `folder` NULL or empty: the embedded texts. PERMANENT, naming the file, when one is missing, too long, or no
 * template. */
SL_MUST_CHECK struct emails *emails_create(const char *folder, struct sl_err *err);
void emails_destroy(struct emails *emails); /* accepts NULL */

/* Is there an e-mail of that name? */
bool emails_have(const char *name);
/* Appends one part of an e-mail that there is. False on overflow of `out`. */
SL_MUST_CHECK bool emails_render(const struct emails *emails, const char *name, enum template_kind part,
                                 const struct args *values, struct sl_buf *out);

#endif
