/* digest.h - one number of all that a plan says and changes: two decisions with the same digest are the same.
 *
 * Of a row that was there before, what is other than it was: a field that is merely carried along is no part of the
 * decision. What the executor owns of a job (step, settled, fence, its place in the order) is left out, and so are
 * sealed tokens, which depend on the data key of the day. Pure.
 */
#ifndef APPLY_DIGEST_H
#define APPLY_DIGEST_H

#include "worker/decide/plan.h"

/* `facts`: as they were decided over, before the plan is carried into them. 64 bits, for comparing only: no defence
 * against somebody who looks for two plans of the same digest. */
int64_t digest_of_plan(const struct facts *facts, const struct plan *plan);

#endif
