/* pending.h - users.pending_checkout, the checkout that is to bring a workspace plan, as JSON and as fields of the
 * user:
 * {"job_id","session_id","plan","workspace_name","shared_workflow_ids":[…]}; a member that is empty is left out. Pure.
 */
#ifndef APPLY_PENDING_H
#define APPLY_PENDING_H

#include "common/arena.h"
#include "worker/decide/facts.h"

/* Sets the user's pending_ fields; none is pending where the text is empty or names no job. */
void pending_read(struct sl_str json, struct sl_arena *arena, struct user *user);
/* Empty when nothing is pending. */
struct sl_str pending_write(const struct user *user, struct sl_arena *arena);

#endif
