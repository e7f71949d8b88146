/* tailscale.h - the Tailscale API (api v2): devices of a tailnet, keys by which they join it, and tokens for OAuth
 * clients.
 *
 * As in hetzner.h: request functions give false only for what can't be sent, reply functions for a body that isn't as
 * documented.
 */
#ifndef CLOUDS_TAILSCALE_H
#define CLOUDS_TAILSCALE_H

#include "worker/clouds/cloud.h"

extern const struct cloud TAILSCALE;

#define TAILSCALE_ID_BYTES 64

struct tailscale_device {
    char id[TAILSCALE_ID_BYTES]; /* nodeId; the old numeric id where there is no other */
    char hostname[256];
    char address[48];      /* the first */
    int64_t created_at_ms; /* 0: not said */
    bool external;         /* shared in from another tailnet: not ours to delete */
};

/* An auth key: whoever has it may join one machine to the tailnet, until it expires. */
struct tailscale_key {
    char id[TAILSCALE_ID_BYTES];
    char secret[256]; /* told once; the caller wipes it */
};

struct tailscale_token {
    char text[512];
    int64_t expires_in_ms;
};

SL_MUST_CHECK bool tailscale_find_devices(const struct cloud_account *account, struct sl_str hostname,
                                          struct cloud_request *request, struct sl_err *err);
/* All of the tailnet in one answer: the API has no pages. */
SL_MUST_CHECK bool tailscale_list_devices(const struct cloud_account *account, struct cloud_request *request,
                                          struct sl_err *err);
SL_MUST_CHECK bool tailscale_get_device(const struct cloud_account *account, struct sl_str device_id,
                                        struct cloud_request *request, struct sl_err *err);
SL_MUST_CHECK bool tailscale_delete_device(const struct cloud_account *account, struct sl_str device_id,
                                           struct cloud_request *request, struct sl_err *err);
/* POST …/keys: one-off, ephemeral, preauthorized. `tags`: comma-separated; `description`: letters, digits, dashes and
 * blanks, cut at 50. */
SL_MUST_CHECK bool tailscale_create_key(const struct cloud_account *account, struct sl_str tags, int64_t expiry_s,
                                        struct sl_str description, struct cloud_request *request, struct sl_err *err);
SL_MUST_CHECK bool tailscale_delete_key(const struct cloud_account *account, struct sl_str key_id,
                                        struct cloud_request *request, struct sl_err *err);
/* OAuth client credentials for an access token. The account's token is not used. */
SL_MUST_CHECK bool tailscale_get_token(const struct cloud_account *account, struct cloud_request *request,
                                       struct sl_err *err);

/* The first device of that very hostname which isn't external; *ret_found says whether there is one. */
SL_MUST_CHECK bool tailscale_read_found(const struct sl_http_response *response, struct sl_str hostname,
                                        bool *ret_found, struct tailscale_device *ret_device);
/* Calls `visit` for each. */
SL_MUST_CHECK bool tailscale_read_devices(const struct sl_http_response *response,
                                          void (*visit)(void *arg, const struct tailscale_device *device), void *arg);
SL_MUST_CHECK bool tailscale_read_device(const struct sl_http_response *response, struct tailscale_device *ret_device);
SL_MUST_CHECK bool tailscale_read_key(const struct sl_http_response *response, struct tailscale_key *ret_key);
SL_MUST_CHECK bool tailscale_read_token(const struct sl_http_response *response, struct tailscale_token *ret_token);

#endif
