/* rulebook.h - decide(facts, event) -> plan: the whole of the rules behind one function.
 *
 * Rows in order, first match wins; every event type ends with a row that always matches, so that each event has an
 * answer. Pure: no clock, no randomness, no I/O, no globals; the same input over the same facts gives the same plan,
 * byte for byte.
 */
#ifndef DECIDE_RULEBOOK_H
#define DECIDE_RULEBOOK_H

#include "worker/decide/plan.h"

enum match { MATCH_NO = 0, MATCH_YES, MATCH_CANNOT_TELL }; /* the last: a fact is missing, the event is parked */

#define RULE_EVERY_TYPE INPUT_TYPE_COUNT /* rows tried before those of the event's own type */

struct rule {
    const char *name;                                                         /* permanent: stored on what it decides */
    enum input_type type;                                                     /* or RULE_EVERY_TYPE */
    enum match (*when)(const struct facts *facts, const struct input *input); /* NULL: always */
    void (*then)(const struct facts *facts, const struct input *input,
                 struct plan *plan); /* NULL: the row only parks */
    const char *condition;           /* for docs/rules.md, in words */
    const char *effect;
};

/* Fills `plan` (fresh from plan_create): its rule, outcome and changes. `facts->user.id` empty means that the user is
 * unknown: then the outcome is PARKED for Stripe's events and as the rules say for others. */
void decide(const struct facts *facts, const struct input *input, struct plan *plan);

/* All rows, in the order tried; for documentation, tests and `sluicectl explain`. */
const struct rule *rulebook_rows(size_t *ret_count);

#endif
