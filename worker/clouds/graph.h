/* graph.h - the part of Microsoft Graph (learn.microsoft.com/graph/api, v1.0) that lists a user's teams and their
 * channels. Reads only.
 *
 * As in hetzner.h: request functions give false only for what can't be sent. The account's token is a connection's,
 * put there for the one request: there is none in the configuration.
 */
#ifndef CLOUDS_GRAPH_H
#define CLOUDS_GRAPH_H

#include <jansson.h>

#include "worker/clouds/cloud.h"

extern const struct cloud GRAPH;

#define GRAPH_ID_BYTES   128
#define GRAPH_NAME_BYTES 256
#define GRAPH_LINK_BYTES 1536

/* GET /me/joinedTeams. */
SL_MUST_CHECK bool graph_list_teams(const struct cloud_account *account, struct cloud_request *request,
                                    struct sl_err *err);
/* GET /teams/{id}/channels. */
SL_MUST_CHECK bool graph_list_channels(const struct cloud_account *account, struct sl_str team_id,
                                       struct cloud_request *request, struct sl_err *err);
/* The page that graph_read_page found a link to. */
SL_MUST_CHECK bool graph_next_page(const struct cloud_account *account, struct sl_str link,
                                   struct cloud_request *request, struct sl_err *err);

/* A page of either list: an array of {"id","name"} in the order given, which the caller frees (names are cut to
 * GRAPH_NAME_BYTES), and the link to the next page, as it stands behind the base URL; empty: there is none. False:
 * RETRY when the body isn't what the API documents; PERMANENT when the next page is anywhere but behind the base URL,
 * where the token must not go, or its link is too long. */
SL_MUST_CHECK bool graph_read_page(const struct cloud_account *account, const struct sl_http_response *response,
                                   json_t **ret_rows, char ret_link[GRAPH_LINK_BYTES], struct sl_err *err);

#endif
