/* listener.h - what ingress hears from Kafka: the customer directory, from its beginning, and the answers to waiting
 * requests.
 *
 * One thread with one consumer, assigned by hand: all partitions of sluice.directory.v1, and one of sluice.replies.v1
 * that this instance has chosen. It commits nothing and belongs to no group. It also keeps three parts of readiness:
 * "kafka" (a broker answers), "directory" (read up to what was there at the start) and "replies" (they are heard), and
 * ends overdue waits.
 */
#ifndef INGRESS_LISTENER_H
#define INGRESS_LISTENER_H

#include "common/admin.h"
#include "common/config.h"
#include "common/kafka.h"
#include "ingress/counters.h"
#include "ingress/directory.h"
#include "ingress/reply.h"

struct listener_options {
    const struct sl_config *config; /* for the start alone */
    struct directory *directory;
    struct replies *replies;
    struct counters *counters;
    struct sl_readiness *readiness;
    uint32_t choice; /* random: which partition of the replies */
};

struct listener;

SL_MUST_CHECK struct listener *listener_start(const struct listener_options *options, struct sl_err *err);
void listener_stop(struct listener *listener); /* joins and frees; accepts NULL */

/* The partition on which answers are heard, or -1 while there is none: nobody may wait then. Any thread. */
int32_t listener_reply_partition(const struct listener *listener);

/* Closes and destroys a consumer that was assigned by hand. */
void listener_retire(rd_kafka_t *consumer);

#endif
