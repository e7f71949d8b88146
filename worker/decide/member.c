/* member.c - workspace.invite, invite.accept, workspace.leave, workspace.revoke, and member.removed.
 *
 * An invitation is a token in an e-mail, of which only the hash is kept; whoever has it may use it, once, while it is
 * open: not accepted, not revoked, not expired. Open ones take up a seat each. Who loses the last workspace gets a
 * personal one: at once by leaving; by the notice member.removed, on the user's own partition, when others revoke.
 */
#include <string.h>

#include "worker/decide/detail.h"
#include "worker/decide/email.h"
#include "worker/decide/families.h"
#include "worker/decide/workspace_effects.h"

#define URL_BYTES_PER_BYTE 3 /* %XX */

static const struct workspace *named_workspace(const struct facts *facts, const struct input *input)
{
    return commons_workspace(facts->commons, input->as.workspace.workspace_id);
}

static bool is_open(const struct invite *invite, const struct input *input)
{
    return !invite->accepted_at_ms && !invite->revoked_at_ms && invite->expires_at_ms > input->received_at_ms;
}

/* Members and open invitations, but for those to `email` (empty: none). */
static size_t seats_taken(const struct facts *facts, const struct input *input, struct sl_uuid workspace_id,
                          struct sl_str email)
{
    size_t taken = workspace_member_count(facts, workspace_id);
    for (size_t i = 0; i < facts->commons->invite_count; i++) {
        const struct invite *invite = facts->commons->invites[i];
        bool is_replaced = !sl_str_empty(email) && sl_str_equal_ignore_case(invite->email, email);
        taken += sl_uuid_equal(invite->workspace_id, workspace_id) && is_open(invite, input) && !is_replaced;
    }
    return taken;
}

static bool has_seat(const struct facts *facts, const struct workspace *workspace, size_t taken)
{
    int seats = policy_offer(facts->policy, workspace->tier)->max_members;
    return seats < 0 || taken < (size_t)seats;
}

/* workspace.invite */

WHEN(invite_without_key)
{
    (void)facts;
    return yes_if(sl_str_empty(input->as.workspace.token) || sl_str_empty(input->as.workspace.token_sha256));
}

THEN(invite_without_key)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "no key is configured to make the invitation with");
}

WHEN(invite_without_app)
{
    (void)input;
    return yes_if(sl_str_empty(facts->policy->app_url));
}

THEN(invite_without_app)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "APP_URL is not configured: the invitation could not lead anywhere");
}

WHEN(invite_oneself)
{
    return yes_if(!sl_str_empty(facts->user.email) &&
                  sl_str_equal_ignore_case(facts->user.email, input->as.workspace.email));
}

THEN(invite_oneself)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "the address is that of a member");
}

WHEN(invite_over_limit)
{
    const struct workspace *workspace = named_workspace(facts, input);
    return yes_if(!has_seat(facts, workspace, seats_taken(facts, input, workspace->id, input->as.workspace.email)));
}

THEN(invite_over_limit)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_WORKSPACE_MEMBER_LIMIT, "members and open invitations take up all seats of the plan");
}

/* RFC 3986: everything but unreserved characters is escaped. */
static struct sl_str url_encoded(struct sl_arena *arena, struct sl_str text)
{
    static const char HEX[] = "0123456789ABCDEF", UNRESERVED[] = "-._~";
    char *out = sl_arena_alloc(arena, text.len * URL_BYTES_PER_BYTE + 1, 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        bool is_letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
        if (is_letter || (byte >= '0' && byte <= '9') || memchr(UNRESERVED, byte, sizeof(UNRESERVED) - 1)) {
            out[len++] = (char)byte;
        } else {
            out[len++] = '%';
            out[len++] = HEX[byte >> 4];
            out[len++] = HEX[byte & 15];
        }
    }
    return (struct sl_str){.ptr = out, .len = len};
}

static void revoke_invite(struct plan *plan, const struct invite *invite)
{
    plan_invite(plan, invite)->revoked_at_ms = plan->input->received_at_ms;
}

static void send_invitation(const struct facts *facts, const struct input *input, struct plan *plan,
                            const struct workspace *workspace)
{
    struct sl_str token = url_encoded(plan->arena, input->as.workspace.token);
    const struct detail members[] = {
        {"workspace_name", workspace->name},
        {"invited_by", sl_str_empty(facts->user.email) ? facts->user.id : facts->user.email},
        {"url", sl_arena_printf(plan->arena, "%" SL_STR_FMT "/signup?invite=%" SL_STR_FMT,
                                SL_STR_ARG(facts->policy->app_url), SL_STR_ARG(token))},
    };
    effect_email(plan, facts, "invite", input->as.workspace.email, members, SL_ARRAY_LEN(members));
}

THEN(invite)
{
    const struct input_workspace *command = &input->as.workspace;
    const struct workspace *workspace = named_workspace(facts, input);
    for (size_t i = 0; i < facts->commons->invite_count; i++) {
        const struct invite *old = facts->commons->invites[i];
        if (sl_uuid_equal(old->workspace_id, workspace->id) && is_open(old, input) &&
            sl_str_equal_ignore_case(old->email, command->email))
            revoke_invite(plan, old);
    }
    struct invite *invite = plan_invite_new(plan, plan_derive_id(plan));
    invite->workspace_id = workspace->id;
    invite->email = command->email;
    invite->token_sha256 = command->token_sha256;
    invite->invited_by = facts->user.id;
    invite->expires_at_ms = input->received_at_ms + facts->policy->invite_expiry_ms;
    send_invitation(facts, input, plan, workspace);
    const struct detail members[] = {{"email", command->email}};
    plan_audit(plan, "member_invited", plan_target(plan, "workspace", workspace->id),
               detail_object(plan->arena, members, SL_ARRAY_LEN(members)));
    const struct detail data[] = {{"expires_at", detail_time(plan->arena, invite->expires_at_ms / 1000)}};
    plan_data(plan, detail_object(plan->arena, data, SL_ARRAY_LEN(data)));
    plan_applied(plan, "the invitation is on its way");
}

/* invite.accept */

static const struct invite *named_invite(const struct facts *facts, const struct input *input)
{
    struct sl_str hash = input->as.workspace.token_sha256;
    return sl_str_empty(hash) ? NULL : commons_invite(facts->commons, hash);
}

/* The same where an earlier row has seen that there is one. */
static const struct invite *known_invite(const struct facts *facts, const struct input *input)
{
    const struct invite *invite = named_invite(facts, input);
    SL_ASSERT(invite);
    return invite;
}

static const struct workspace *invites_workspace(const struct facts *facts, const struct input *input)
{
    return commons_workspace(facts->commons, known_invite(facts, input)->workspace_id);
}

WHEN(invitation_unknown)
{
    const struct invite *invite = named_invite(facts, input);
    return yes_if(!invite || invite->accepted_at_ms || invite->revoked_at_ms || !invites_workspace(facts, input));
}

THEN(invitation_unknown)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVITE_NOT_FOUND, "there is no such invitation, or it was used or withdrawn");
}

WHEN(invitation_expired)
{
    return yes_if(!is_open(known_invite(facts, input), input));
}

THEN(invitation_expired)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVITE_EXPIRED, "the invitation has expired");
}

WHEN(invitation_of_member)
{
    return yes_if(workspace_membership(facts, known_invite(facts, input)->workspace_id) != NULL);
}

THEN(invitation_of_member)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "you are a member of the workspace already");
}

WHEN(invitation_plan_gone)
{
    return yes_if(!policy_offer(facts->policy, invites_workspace(facts, input)->tier));
}

WHEN(invitation_over_limit)
{
    const struct workspace *workspace = invites_workspace(facts, input);
    /* The invitation itself makes room for its member. */
    size_t taken = seats_taken(facts, input, workspace->id, SL_STR_NONE) - 1;
    return yes_if(!has_seat(facts, workspace, taken));
}

static struct sl_str id_text(struct plan *plan, struct sl_uuid id)
{
    char text[SL_UUID_TEXT_BYTES];
    sl_uuid_format(id, text);
    return sl_arena_str(plan->arena, sl_str_of(text));
}

THEN(accept)
{
    const struct invite *invite = known_invite(facts, input);
    struct invite *copy = plan_invite(plan, invite);
    copy->accepted_at_ms = input->received_at_ms;
    copy->accepted_by = facts->user.id;
    (void)plan_member_new(plan, invite->workspace_id, facts->user.id, ROLE_MEMBER);
    plan_audit(plan, "member_joined", plan_target(plan, "workspace", invite->workspace_id), SL_STR_NONE);
    const struct detail data[] = {{"workspace_id", id_text(plan, invite->workspace_id)}};
    plan_data(plan, detail_object(plan->arena, data, SL_ARRAY_LEN(data)));
    plan_applied(plan, "you are a member of the workspace");
}

/* workspace.leave */

static bool is_senior(const struct member *a, const struct member *b)
{
    if (a->joined_at_ms != b->joined_at_ms)
        return a->joined_at_ms < b->joined_at_ms;
    return sl_str_compare(a->user_id, b->user_id) < 0;
}

/* The oldest member but for the user; NULL: the user is the last one. */
static const struct member *heir(const struct facts *facts, struct sl_uuid workspace_id)
{
    const struct member *oldest = NULL;
    for (size_t i = 0; i < facts->commons->member_count; i++) {
        const struct member *member = facts->commons->members[i];
        bool is_other = !member->gone && sl_uuid_equal(member->workspace_id, workspace_id) &&
                        !sl_str_equal(member->user_id, facts->user.id);
        if (is_other && (!oldest || is_senior(member, oldest)))
            oldest = member;
    }
    return oldest;
}

WHEN(leave_as_last)
{
    return yes_if(!heir(facts, input->as.workspace.workspace_id));
}

WHEN(leave_as_owner)
{
    return yes_if(sl_str_equal(named_workspace(facts, input)->owner_id, facts->user.id));
}

static void leave(const struct facts *facts, const struct input *input, struct plan *plan)
{
    struct sl_uuid id = input->as.workspace.workspace_id;
    workspace_remove_member(plan, facts, workspace_membership(facts, id));
    plan_audit(plan, "member_left", plan_target(plan, "workspace", id), SL_STR_NONE);
    if (workspace_count(facts, id) == 0)
        (void)workspace_make_personal(plan, facts);
}

THEN(leave_closes)
{
    struct sl_uuid id = input->as.workspace.workspace_id;
    leave(facts, input, plan);
    struct workspace *workspace = plan_workspace(plan, named_workspace(facts, input));
    workspace->closed_at_ms = input->received_at_ms;
    workspace->cycle_subscription_id = SL_STR_NONE;
    workspace->cycle_started_at_s = workspace->renews_at_s = 0;
    workspace_purge_connections(plan, facts, id, SL_STR_NONE);
    for (size_t i = 0; i < facts->commons->invite_count; i++) {
        const struct invite *invite = facts->commons->invites[i];
        if (sl_uuid_equal(invite->workspace_id, id) && !invite->accepted_at_ms && !invite->revoked_at_ms)
            revoke_invite(plan, invite);
    }
    plan_audit(plan, "workspace_closed", plan_target(plan, "workspace", id), SL_STR_NONE);
    plan_applied(plan, "the last member has left: the workspace is closed");
}

THEN(leave_hands_over)
{
    const struct workspace *workspace = named_workspace(facts, input);
    const struct member *oldest = heir(facts, workspace->id);
    SL_ASSERT(oldest); /* with nobody left, the row before has closed it */
    leave(facts, input, plan);
    plan_workspace(plan, workspace)->owner_id = oldest->user_id;
    plan_member(plan, oldest)->role = ROLE_OWNER;
    const struct detail members[] = {{"owner", oldest->user_id}};
    plan_audit(plan, "workspace_handed_over", plan_target(plan, "workspace", workspace->id),
               detail_object(plan->arena, members, SL_ARRAY_LEN(members)));
    plan_applied(plan, "the workspace belongs to its oldest member now");
}

THEN(leave)
{
    leave(facts, input, plan);
    plan_applied(plan, "you have left the workspace");
}

/* workspace.revoke */

static const struct member *named_member(const struct facts *facts, const struct input *input)
{
    return commons_member(facts->commons, input->as.workspace.workspace_id, input->as.workspace.member_id);
}

WHEN(revoke_nobody)
{
    return yes_if(!named_member(facts, input));
}

THEN(revoke_nobody)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "the workspace has no such member");
}

WHEN(revoke_owner)
{
    return yes_if(named_member(facts, input)->role == ROLE_OWNER);
}

THEN(revoke_owner)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "the owner can't be removed: the owner leaves");
}

WHEN(revoke_oneself)
{
    return yes_if(sl_str_equal(input->as.workspace.member_id, facts->user.id));
}

THEN(revoke_oneself)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "nobody removes himself: leave the workspace");
}

THEN(revoke)
{
    const struct member *member = named_member(facts, input);
    workspace_remove_member(plan, facts, member);
    const struct detail members[] = {{"user_id", member->user_id},
                                     {"workspace_id", id_text(plan, member->workspace_id)}};
    plan_notify(plan, "member.removed", member->user_id, detail_object(plan->arena, members, SL_ARRAY_LEN(members)));
    plan_audit(plan, "member_removed", plan_target(plan, "workspace", member->workspace_id),
               detail_object(plan->arena, members, 1));
    plan_applied(plan, "the member is removed");
}

/* member.removed */

WHEN(removed_has_workspace)
{
    (void)input;
    const struct sl_uuid nil = {.bytes = {0}};
    return yes_if(sl_str_empty(facts->user.id) || workspace_count(facts, nil) > 0);
}

THEN(removed_has_workspace)
{
    (void)facts, (void)input;
    plan_ignored(plan, "the user has another workspace");
}

THEN(removed_makes_personal)
{
    (void)input;
    (void)workspace_make_personal(plan, facts);
    plan_applied(plan, "the user has a personal workspace now");
}
