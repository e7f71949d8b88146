/* policy.h - [policy] and [plan *] of the configuration as the rules want them, and the data keys that go with them. */
#ifndef APPLY_POLICY_H
#define APPLY_POLICY_H

#include "common/config.h"
#include "common/seal.h"
#include "worker/decide/facts.h"

struct policy_set; /* a policy and the memory of its texts */

/* Copies what it needs of `config`. PERMANENT when a plan's cpu is no number, or [worker] data_keys are malformed. */
SL_MUST_CHECK struct policy_set *policy_create(const struct sl_config *config, struct sl_err *err);
void policy_destroy(struct policy_set *set); /* accepts NULL */
const struct policy *policy_borrow(const struct policy_set *set);
const struct sl_seal_ring *policy_borrow_ring(const struct policy_set *set);

#endif
