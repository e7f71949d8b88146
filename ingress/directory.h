/* directory.h - whose customer is this? The map from Stripe's customer ids to users, as far as sluice.directory.v1 has
 * told.
 *
 * Written by the listener's thread, read by the http thread; a lock inside. Bounded: beyond DIRECTORY_ENTRIES_MAX new
 * customers are left out, which only makes their events wait in Postgres for a moment longer (see key.h).
 */
#ifndef INGRESS_DIRECTORY_H
#define INGRESS_DIRECTORY_H

#include "common/arena.h"

#define DIRECTORY_ENTRIES_MAX (1 << 20)

struct directory;

/* `entries_max` at most DIRECTORY_ENTRIES_MAX. */
SL_MUST_CHECK struct directory *directory_create(size_t entries_max);
void directory_destroy(struct directory *directory); /* accepts NULL */

/* An empty user takes the customer out (a tombstone). False: full, or the strings are not usable as keys. */
bool directory_set(struct directory *directory, struct sl_str customer, struct sl_str user);
/* The user, copied into `arena`; empty when unknown. Has the shape of key.h's key_directory. */
struct sl_str directory_get(void *directory, struct sl_str customer, struct sl_arena *arena);
size_t directory_count(struct directory *directory);

#endif
