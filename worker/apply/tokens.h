/* tokens.h - the tokens of invitations and connections, made or taken away before any rule sees them.
 *
 * What the rules get is fit for Postgres: a digest, a sealed text, or an invitation's own token, which derives from the
 * event, so that the same event always gives the same one. Pure but for the arena.
 */
#ifndef APPLY_TOKENS_H
#define APPLY_TOKENS_H

#include "common/arena.h"
#include "common/seal.h"
#include "worker/decide/input.h"

/* Replaces input->as.workspace.token (or what token_sealed holds of it) as payload read it: workspace.invite gets token
 * and token_sha256, invite.accept token_sha256, connection.share sealed; the plain token sent is wiped from memory in
 * any case. Without a key `token` and `sealed` stay empty. Other types are left as they are. */
void tokens_prepare(const struct sl_seal_ring *ring, struct sl_arena *arena, struct input *input);
/* After that: false when the event's token was sealed with a key that is not among ours, or for another event. Such an
 * event can't be decided. */
bool tokens_are_open(const struct input *input);

#endif
