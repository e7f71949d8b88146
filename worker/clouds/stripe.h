/* stripe.h - the part of Stripe's API (docs.stripe.com/api, v1) that opens a checkout, and ends or resumes a
 * subscription.
 *
 * As in hetzner.h: request functions give false only for what can't be sent, reply functions for a body that isn't as
 * documented. Every request here is a POST with an Idempotency-Key: sent again under the same key and with the very
 * same body, it gives the first one's answer (docs.stripe.com/api/idempotent_requests; keys live for 24 hours), so it
 * may be repeated whenever its effect isn't known.
 */
#ifndef CLOUDS_STRIPE_H
#define CLOUDS_STRIPE_H

#include <jansson.h>

#include "worker/clouds/cloud.h"

extern const struct cloud STRIPE;

#define STRIPE_ID_BYTES  256
#define STRIPE_URL_BYTES 4096

struct stripe_checkout {
    struct sl_str mode, price, customer_id, user_id, success_url, cancel_url;
};

struct stripe_session {
    char id[STRIPE_ID_BYTES];
    char url[STRIPE_URL_BYTES]; /* where the customer pays */
};

/* Times are Unix seconds; 0: not said. */
struct stripe_subscription {
    char id[STRIPE_ID_BYTES];
    bool cancel_at_period_end;
    int64_t cancel_at_s;
    int64_t period_end_s; /* the items' since 2025-03-31.basil, the earliest; else the subscription's own */
};

/* `key`: of the Idempotency-Key header. An empty e-mail is left out. */
SL_MUST_CHECK bool stripe_create_customer(const struct cloud_account *account, struct sl_str key, struct sl_str email,
                                          struct sl_str user_id, struct cloud_request *request, struct sl_err *err);
/* A hosted page for one of `price`. The user stands in client_reference_id (where it is short enough for that) and in
 * the metadata of the session and, in mode "subscription", of the subscription that comes of it. */
SL_MUST_CHECK bool stripe_open_checkout(const struct cloud_account *account, struct sl_str key,
                                        const struct stripe_checkout *checkout, struct cloud_request *request,
                                        struct sl_err *err);
/* Ends the subscription with its period, or takes that back. */
SL_MUST_CHECK bool stripe_cancel_at_period_end(const struct cloud_account *account, struct sl_str key,
                                               struct sl_str subscription_id, bool cancel,
                                               struct cloud_request *request, struct sl_err *err);

SL_MUST_CHECK bool stripe_read_customer(const struct sl_http_response *response, char ret_id[STRIPE_ID_BYTES]);
SL_MUST_CHECK bool stripe_read_session(const struct sl_http_response *response, struct stripe_session *ret_session);
SL_MUST_CHECK bool stripe_read_subscription(const struct sl_http_response *response,
                                            struct stripe_subscription *ret_subscription);

/* GET /v1/events: a page of those created from `since_s` to `until_s` (0: no end), newest first, behind `after` (empty:
 * from the newest). `undelivered`: only those that an endpoint has not acknowledged. */
SL_MUST_CHECK bool stripe_list_events(const struct cloud_account *account, int64_t since_s, int64_t until_s,
                                      bool undelivered, struct sl_str after, struct cloud_request *request,
                                      struct sl_err *err);
/* Calls `visit` for each event, as it stands in the list. */
SL_MUST_CHECK bool stripe_read_events(const struct sl_http_response *response,
                                      void (*visit)(void *arg, const json_t *event), void *arg, bool *ret_more);

#endif
