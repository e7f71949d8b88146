/* instance.h - one running console: its parts put together, started in the order of need and stopped in reverse.
 *
 * main.c drives it by signals, tests by hand. All functions belong to one thread, which is none of those that are
 * started here (libmicrohttpd's, the pool's, the tail's, the catch-up readers').
 */
#ifndef CONSOLE_INSTANCE_H
#define CONSOLE_INSTANCE_H

#include "console/settings.h"
#include "web/drain.h"

struct instance;

/* Takes `settings`, whose address, servers and limits stay for good; secrets and plans follow instance_reload. Kafka or
 * Postgres being away doesn't hold it up. PERMANENT: the address or the configuration. `settings` is gone in any case.
 */
SL_MUST_CHECK struct instance *instance_start(struct settings *settings, const char *service, struct sl_err *err);
void instance_stop(struct instance *instance); /* accepts NULL */

/* Now and then (tenths of a second): heartbeats, tokens that have expired, reads that have waited too long. */
void instance_tick(struct instance *instance, int64_t mono_ms, int64_t wall_ms);
void instance_reload(struct instance *instance, struct settings *next); /* takes `next` */
/* Moves the drain on, as web/drain.h says; `is_asked`: a signal has come. The step it is in now. */
enum drain_step instance_drain(struct instance *instance, bool is_asked, int64_t now_ms);

unsigned instance_port(const struct instance *instance);

#endif
