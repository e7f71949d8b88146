/* catch_up.h - reads again what streams with a Last-Event-ID have missed, until the tail can take over.
 *
 * A bounded number of threads, each with a consumer of its own that is made when it is first needed. A pass reads one
 * partition for all streams that are behind there, so that a thousand clients that come back at once cost as many
 * passes as there are partitions.
 */
#ifndef CONSOLE_CATCH_UP_H
#define CONSOLE_CATCH_UP_H

#include "common/config.h"
#include "console/hub.h"

#define CATCH_UP_READERS 2

struct catch_up;

/* `config` is borrowed until catch_up_stop. FATAL when a thread can't be started. */
SL_MUST_CHECK struct catch_up *catch_up_start(const struct sl_config *config, struct hub *hub, struct sl_err *err);
void catch_up_stop(struct catch_up *catch_up); /* joins and frees; accepts NULL */

#endif
