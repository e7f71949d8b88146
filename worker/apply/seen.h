/* seen.h - what a decision saw of the executor's columns of jobs: written down with the decision (events.seen), because
 * the log does not tell it, and put back when the log is decided again.
 *
 * {"<job>": ["<status>", "<step>", settled, fence]} for each job of the facts that has been claimed since it was queued
 * last; any other is as the decisions left it. Left out, too, is a job whose own report tells the same of it. Pure but
 * for the arena.
 */
#ifndef APPLY_SEEN_H
#define APPLY_SEEN_H

#include "common/err.h"
#include "worker/decide/rulebook.h"

/* Of the facts as the rules are about to see them; empty when there is nothing to write. */
struct sl_str seen_write(struct sl_arena *arena, const struct facts *facts, const struct input *input);
/* Puts back into the facts what was seen; `seen_json` as above, empty: nothing was. Jobs that the facts do not have are
 * passed over. PERMANENT when the text is none of ours. */
SL_MUST_CHECK bool seen_apply(struct facts *facts, const struct input *input, struct sl_str seen_json,
                              struct sl_arena *arena, struct sl_err *err);

#endif
