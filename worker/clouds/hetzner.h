/* hetzner.h - the Hetzner Cloud API (docs.hetzner.cloud, v1): servers, their power, and the actions that change it.
 *
 * A request function gives false only for an id that is no id, or a URL too long. A reply function gives false when the
 * body isn't what the API documents; unknown fields are ignored. Neither looks at the status: the caller has judged it.
 */
#ifndef CLOUDS_HETZNER_H
#define CLOUDS_HETZNER_H

#include "worker/clouds/cloud.h"

extern const struct cloud HETZNER;

#define HETZNER_ID_BYTES 24

enum hetzner_status {
    HETZNER_UNKNOWN = 0, /* also any text that isn't documented */
    HETZNER_RUNNING,
    HETZNER_INITIALIZING,
    HETZNER_STARTING,
    HETZNER_STOPPING,
    HETZNER_OFF,
    HETZNER_DELETING,
    HETZNER_MIGRATING,
    HETZNER_REBUILDING,
    HETZNER_STATUS_COUNT
};

struct hetzner_server {
    char id[HETZNER_ID_BYTES];
    char name[64];
    enum hetzner_status status;
    bool locked; /* an action is under way */
    char ipv4[48];
    char agent_label[64]; /* sluice-agent; empty: none */
    char job_label[64];   /* sluice-job */
};

/* A server to be made. Label values: at most 63 letters, digits, dashes, dots, underscores. */
struct hetzner_new_server {
    struct sl_str name; /* a host name (RFC 1123), unique in the project */
    struct sl_str server_type, image, location;
    struct sl_str user_data; /* of cloud-init, at most HETZNER_USER_DATA_BYTES_MAX; kept by Hetzner */
    struct sl_str agent_label, job_label, generation_label; /* sluice-agent, sluice-job, sluice-generation */
};
#define HETZNER_USER_DATA_BYTES_MAX ((size_t)32 * 1024)

/* A server as a list has it. */
struct hetzner_listed {
    struct hetzner_server server;
    int64_t created_at_ms; /* 0: not said */
    double net_per_day;    /* by the hour's price of its type at its location, without tax; negative: not said */
};
#define HETZNER_SERVERS_PER_PAGE 50 /* the API's most */

enum hetzner_power { HETZNER_POWERON = 1, HETZNER_POWEROFF, HETZNER_SHUTDOWN };

enum hetzner_action_status { HETZNER_ACTION_RUNNING = 1, HETZNER_ACTION_SUCCESS, HETZNER_ACTION_ERROR };

struct hetzner_action {
    char id[HETZNER_ID_BYTES];
    enum hetzner_action_status status;
    struct cloud_error error; /* of a failed one */
};

SL_MUST_CHECK bool hetzner_get_server(const struct cloud_account *account, struct sl_str server_id,
                                      struct cloud_request *request, struct sl_err *err);
/* By exact name. */
SL_MUST_CHECK bool hetzner_find_server(const struct cloud_account *account, struct sl_str name,
                                       struct cloud_request *request, struct sl_err *err);
/* All there are, whatever their labels, in the order made; `page` counts from 1. */
SL_MUST_CHECK bool hetzner_list_servers(const struct cloud_account *account, int page, struct cloud_request *request,
                                        struct sl_err *err);
/* GET /pricing: what prices are in. */
SL_MUST_CHECK bool hetzner_get_pricing(const struct cloud_account *account, struct cloud_request *request,
                                       struct sl_err *err);
/* POST /servers: it starts at once. The reply holds the server, and the action that makes it. */
SL_MUST_CHECK bool hetzner_create_server(const struct cloud_account *account, const struct hetzner_new_server *server,
                                         struct cloud_request *request, struct sl_err *err);
SL_MUST_CHECK bool hetzner_change_power(const struct cloud_account *account, struct sl_str server_id,
                                        enum hetzner_power power, struct cloud_request *request, struct sl_err *err);
SL_MUST_CHECK bool hetzner_delete_server(const struct cloud_account *account, struct sl_str server_id,
                                         struct cloud_request *request, struct sl_err *err);
SL_MUST_CHECK bool hetzner_get_action(const struct cloud_account *account, struct sl_str action_id,
                                      struct cloud_request *request, struct sl_err *err);

SL_MUST_CHECK bool hetzner_read_server(const struct sl_http_response *response, struct hetzner_server *ret_server);
/* A list by name holds at most one: *ret_found says whether. */
SL_MUST_CHECK bool hetzner_read_found(const struct sl_http_response *response, bool *ret_found,
                                      struct hetzner_server *ret_server);
/* Calls `visit` for each server of a page; *ret_next_page is 0 behind the last one. */
SL_MUST_CHECK bool hetzner_read_page(const struct sl_http_response *response,
                                     void (*visit)(void *arg, const struct hetzner_listed *listed), void *arg,
                                     int *ret_next_page);
SL_MUST_CHECK bool hetzner_read_currency(const struct sl_http_response *response, char ret_currency[8]);
SL_MUST_CHECK bool hetzner_read_action(const struct sl_http_response *response, struct hetzner_action *ret_action);

#endif
