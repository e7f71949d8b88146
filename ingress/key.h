/* key.h - which partition an event goes to: the user's, as far as ingress can tell.
 *
 * The rule of the contract: a user that the event names, else the directory's user for its customer, else the customer,
 * else the object, else the event itself. A guess only spreads load: decisions stay serial by the worker's lock on the
 * user. Pure.
 */
#ifndef INGRESS_KEY_H
#define INGRESS_KEY_H

#include "common/arena.h"

#define KEY_BYTES_MAX 255

struct key_parts {
    struct sl_str user;     /* named by the event */
    struct sl_str customer; /* Stripe's id */
    struct sl_str object;   /* what else to keep together */
};

/* The user of a customer, copied into `arena`; empty when unknown. */
typedef struct sl_str key_directory(void *directory, struct sl_str customer, struct sl_arena *arena);

/* Never empty: `event_id` is the last resort. Parts longer than KEY_BYTES_MAX count as absent. */
struct sl_str key_choose(const struct key_parts *parts, struct sl_str event_id, key_directory *lookup, void *directory,
                         struct sl_arena *arena);
/* True for 1 to KEY_BYTES_MAX bytes without control characters: what may be a key. */
bool key_is_usable(struct sl_str text);

#endif
