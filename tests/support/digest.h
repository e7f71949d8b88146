/* digest.h - a plan in one number, of everything in it that is written or announced: equal plans have equal digests. */
#ifndef SUPPORT_DIGEST_H
#define SUPPORT_DIGEST_H

#include "worker/decide/plan.h"

uint64_t digest_plan(const struct plan *plan);
/* No row of any kind, no link, no dead letter: the event leaves nothing but its own row. */
bool digest_plan_is_empty(const struct plan *plan);

#endif
