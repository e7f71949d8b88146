/* facts_load.h - locks the batch's users in id order and loads what is known of them, and of what they share: one round
 * trip for the whole batch. */
#ifndef APPLY_FACTS_LOAD_H
#define APPLY_FACTS_LOAD_H

#include "worker/apply/attempt.h"

/* Within the transaction that resolve_owners opened. Makes the rows of customers and users that are new, locks them,
 * and fills `accounts`, `commons` and `knowns`. *ret_moved: a customer became somebody's since resolve_owners looked;
 * the attempt has to start again. */
SL_MUST_CHECK bool facts_load(struct attempt *attempt, bool *ret_moved, struct sl_err *err);

/* The account of a user, or NULL. */
struct account *facts_account(const struct attempt *attempt, struct sl_str user_id);

#endif
