/* instance.h - one running ingress: its parts put together, started in the order of need and stopped in reverse.
 *
 * main.c drives it by signals, tests by hand. All functions belong to one thread, which is none of those that are
 * started here (libmicrohttpd's, the publisher's, the listener's). Whoever may call back outlives its callers.
 */
#ifndef INGRESS_INSTANCE_H
#define INGRESS_INSTANCE_H

#include "ingress/server.h"
#include "web/drain.h"

struct instance;

/* Takes `settings`, whose address, brokers and time limits stay for good; secrets and limits follow instance_reload.
 * Brokers that are away don't hold it up: requests get 503 until they are back. PERMANENT: the address or the
 * configuration. */
SL_MUST_CHECK struct instance *instance_start(struct settings *settings, const char *service, struct sl_err *err);
/* After DRAIN_DONE, or a start that went no further. Accepts NULL. */
void instance_stop(struct instance *instance);

/* Now and then (tenths of a second): levels for the metrics, overdue connections. */
void instance_tick(struct instance *instance, int64_t now_ms);
/* Takes `next`: later requests are judged by it. */
void instance_reload(struct instance *instance, struct settings *next);
/* Moves the drain on, as drain.h says; `is_asked`: a signal has come. The step it is in now. */
enum drain_step instance_drain(struct instance *instance, bool is_asked, int64_t now_ms);

unsigned instance_port(const struct instance *instance);
struct publisher *instance_borrow_publisher(struct instance *instance);

#endif
