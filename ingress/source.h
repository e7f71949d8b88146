/* source.h - the table of what may come in: path and method to source, verifier, reader and route.
 *
 * A new webhook is a verifier, a reader and a row here. Pure; any thread.
 */
#ifndef INGRESS_SOURCE_H
#define INGRESS_SOURCE_H

#include "ingress/read.h"
#include "ingress/verify.h"

enum source_id {
    SOURCE_STRIPE = 0,
    SOURCE_GITHUB,
    SOURCE_CALLBACK,
    SOURCE_DASHBOARD,
    SOURCE_API,
    SOURCE_EARLY_ACCESS,
    SOURCE_COUNT
};

struct source {
    enum source_id id;
    const char *name;      /* label of metrics, word of logs */
    const char *ce_source; /* "/webhooks/stripe" */
    const char *section;   /* of the configuration, "source stripe"; NULL: not signed with a secret of its own */
    const char *variable;  /* that holds the secret, for messages; NULL likewise */
    verifier *verify;      /* NULL: a token (API) or nobody (early access) */
    reader *read;
    bool takes_forms; /* form-encoded bodies too */
    bool is_command;  /* answered 202 with its id */
    bool may_wait;    /* honours Prefer: wait */
};

struct route {
    const struct source *source;
    const struct command *command; /* API and EARLY_ACCESS alone */
    struct read_param params[READ_PARAMS_MAX];
    size_t param_count;
};

enum source_match { SOURCE_NO_PATH = 0, SOURCE_NO_METHOD, SOURCE_FOUND };

#define SOURCE_ALLOW_BYTES 32

/* `path` is decoded, without query. `has_github_event`: X-GitHub-Event was sent, which tells GitHub's own webhooks from
 * callbacks. NO_METHOD fills `ret_allow` with what the path does take. The route's parameters are borrowed from `path`.
 */
enum source_match source_match(struct sl_str path, struct sl_str method, bool has_github_event, struct route *ret_route,
                               char ret_allow[SOURCE_ALLOW_BYTES]);
const struct source *source_at(enum source_id id);

#endif
