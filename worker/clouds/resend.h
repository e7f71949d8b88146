/* resend.h - the Resend API (resend.com/docs/api-reference): one e-mail a call.
 *
 * A call is idempotent by its Idempotency-Key for 24 hours: the same key and body give the same answer, and send
 * nothing more. As in hetzner.h: a request function gives false only for what can't be sent.
 */
#ifndef CLOUDS_RESEND_H
#define CLOUDS_RESEND_H

#include "worker/clouds/cloud.h"

extern const struct cloud RESEND;

struct resend_email {
    struct sl_str idempotency_key; /* 1 to 256 characters; must outlive the request */
    struct sl_str to, subject, text, html;
    struct sl_str template; /* of its tag: letters, digits, underscores and dashes */
};

/* POST /emails from account->from; the body is the same, byte for byte, for the same e-mail. */
SL_MUST_CHECK bool resend_send(const struct cloud_account *account, const struct resend_email *email,
                               struct cloud_request *request, struct sl_err *err);

#endif
