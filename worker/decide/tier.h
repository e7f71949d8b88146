/* tier.h - what a user's subscriptions grant: the gate, the limits, the best of them.
 *
 * Private to decide/. `version` is what an event makes of one of them and replaces what is held of it; NULL: as held.
 */
#ifndef DECIDE_TIER_H
#define DECIDE_TIER_H

#include "worker/decide/facts.h"

bool tier_is_live(const struct subscription *subscription);     /* active or trialing: opens the gate */
bool tier_is_granting(const struct subscription *subscription); /* or past due: still being collected */

/* A live one of the user's, but for the one with the id `except` (empty: none). */
bool tier_has_live(const struct facts *facts, const struct subscription *version, struct sl_str except);

/* The best granting one: most agents, then messages, then memory. NULL: none grants anything. */
const struct subscription *tier_best(const struct facts *facts, const struct subscription *version);
/* What it buys; the free offer where there is none. */
const struct offer *tier_offer(const struct facts *facts, const struct subscription *version);

/* The most agents that any live one allows; the free offer's where there is none. -1: unlimited. */
int tier_agents_max(const struct facts *facts, const struct subscription *version);
/* How many of the user's agents count: not draft, failed or destroyed. `except` NULL: all. */
int tier_agents_counted(const struct facts *facts, const struct agent *except);

#endif
