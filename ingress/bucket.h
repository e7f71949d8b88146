/* bucket.h - how often may one address do something? A bounded table of token buckets.
 *
 * Each entry is one number, the "theoretical arrival time" of the generic cell rate algorithm (ITU-T I.371, annex A): a
 * bucket that has filled up again is the same as none, so entries need no clearing. A full set evicts its emptiest
 * debt: the limit then errs on the side of letting through. Not for sharing between threads; time is an argument.
 */
#ifndef INGRESS_BUCKET_H
#define INGRESS_BUCKET_H

#include "ingress/address.h"

#define BUCKET_ENTRIES 16384

struct bucket_rate {
    int64_t period_us; /* one more token each */
    int64_t burst;     /* tokens of a full bucket, at least 1 */
};

struct bucket_table;

/* `seed` is random, so that nobody outside can choose addresses that fall together. */
SL_MUST_CHECK struct bucket_table *bucket_table_create(uint64_t seed);
void bucket_table_destroy(struct bucket_table *table); /* accepts NULL */

/* Takes a token: 0, or how long until there is one (nothing is taken then). */
int64_t bucket_take_us(struct bucket_table *table, struct address key, struct bucket_rate rate, int64_t now_us);

#endif
