/* provisioner.h - the app provisioner: a small API before a Dokku, one app for each subscription.
 *
 * POST /provision is idempotent by subscriptionId: the same call again gives the same app. Authentication is the header
 * X-API-Key; errors are {"error": "..."}. As in hetzner.h: request functions give false only for what can't be sent,
 * reply functions for a body that isn't as documented.
 */
#ifndef CLOUDS_PROVISIONER_H
#define CLOUDS_PROVISIONER_H

#include "worker/clouds/cloud.h"

extern const struct cloud PROVISIONER;

#define PROVISIONER_NAME_BYTES 64
#define PROVISIONER_URL_BYTES  256

/* Decimal numbers as text, -1 is unlimited; one that is empty is not sent. */
struct provisioner_limits {
    struct sl_str agents, messages_per_day, memory_mb, cpu;
};

struct provisioner_order {
    struct sl_str subscription_id, account_id, tier;
    struct provisioner_limits limits;
};

struct provisioner_app {
    char name[PROVISIONER_NAME_BYTES];
    char frontend_url[PROVISIONER_URL_BYTES];
    char backend_url[PROVISIONER_URL_BYTES];
};

/* An app as the list has it. */
struct provisioner_listed {
    char name[PROVISIONER_NAME_BYTES];
    char subscription_id[128];
    char account_id[256];
};

/* POST /provision. False also for limits that are no numbers. */
SL_MUST_CHECK bool provisioner_provision(const struct cloud_account *account, const struct provisioner_order *order,
                                         struct cloud_request *request, struct sl_err *err);
/* PUT /update; `tier` may be empty. */
SL_MUST_CHECK bool provisioner_update(const struct cloud_account *account, struct sl_str app_name, struct sl_str tier,
                                      const struct provisioner_limits *limits, struct cloud_request *request,
                                      struct sl_err *err);
/* DELETE /deprovision. */
SL_MUST_CHECK bool provisioner_deprovision(const struct cloud_account *account, struct sl_str app_name,
                                           struct cloud_request *request, struct sl_err *err);
/* GET /apps: all there are. */
SL_MUST_CHECK bool provisioner_list(const struct cloud_account *account, struct cloud_request *request,
                                    struct sl_err *err);

/* What POST /provision answers. */
SL_MUST_CHECK bool provisioner_read_app(const struct sl_http_response *response, struct provisioner_app *ret_app);
/* The app of a subscription in a list; *ret_found says whether there is one. */
SL_MUST_CHECK bool provisioner_read_found(const struct sl_http_response *response, struct sl_str subscription_id,
                                          bool *ret_found, char ret_name[PROVISIONER_NAME_BYTES]);

/* Calls `visit` for each app of a list. */
SL_MUST_CHECK bool provisioner_read_apps(const struct sl_http_response *response,
                                         void (*visit)(void *arg, const struct provisioner_listed *listed), void *arg);

#endif
