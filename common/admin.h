/* admin.h - GET /healthz, /readyz, /metrics (and the alias /health), for programs that serve nothing else; ingress and
 * console call sl_admin_answer from their own server. Answers come from snapshots: no I/O, no waiting.
 */
#ifndef SL_ADMIN_H
#define SL_ADMIN_H

#include "common/err.h"
#include "common/metrics.h"

/* Set by the program's threads, read by the admin thread: why it is not fit for traffic. Bounded, under a lock; any
 * thread. */
struct sl_readiness;
SL_MUST_CHECK struct sl_readiness *sl_readiness_create(void);
void sl_readiness_destroy(struct sl_readiness *readiness);
/* One reason a `part` ("postgres", "kafka", "drain"); empty text clears it. At most 16 parts with names below 32
 * bytes (asserted); reasons are cut at 159 bytes. */
void sl_readiness_set(struct sl_readiness *readiness, const char *part, const char *reason);
/* True when no part has a reason; else the first part's is appended to `out`, as "postgres: connection refused". */
bool sl_readiness_get(struct sl_readiness *readiness, struct sl_buf *out);

struct sl_admin_answer {
    int status;
    const char *content_type;
};
/* Appends the answer for one of the paths above to `out`; false: not an admin path. `service` is the program's name.
 * Status 500 when the metrics overflow `out`. Any thread. */
SL_MUST_CHECK bool sl_admin_answer(const char *path, const char *service, struct sl_metrics *metrics,
                                   struct sl_readiness *readiness, struct sl_buf *out,
                                   struct sl_admin_answer *ret_answer);

struct sl_admin;
/* A server of its own on "ADDRESS:PORT" with one thread; port 0: a free one. PERMANENT when the address is bad or
 * taken. `metrics` and `readiness` must live until sl_admin_stop; `service` is copied. */
SL_MUST_CHECK struct sl_admin *sl_admin_start(const char *listen, const char *service, struct sl_metrics *metrics,
                                              struct sl_readiness *readiness, struct sl_err *err);
int sl_admin_port(const struct sl_admin *admin); /* the port that it listens on */
void sl_admin_stop(struct sl_admin *admin);      /* waits for its thread; accepts NULL */

/* "IPV4:PORT" or "[IPV6]:PORT", numbers only, into a socket address. PERMANENT on anything else. */
struct sockaddr_storage;
SL_MUST_CHECK bool sl_admin_parse_listen(const char *listen, struct sockaddr_storage *ret_address, struct sl_err *err);

#endif
