/* tokens.c - see tokens.h.
 *
 * An invitation's token is the base64url of HMAC-SHA256 over "invite", the event's source and its id. A connection's
 * token is sealed for its workspace and connection, its nonce being the beginning of an HMAC over "nonce", the event's
 * source and id, and the token: the same event seals alike, and no nonce comes twice for two texts.
 */
#include "worker/apply/tokens.h"

#include <string.h>

#include "common/secret.h"

static struct sl_str digest_of(struct sl_arena *arena, struct sl_str token)
{
    uint8_t digest[SL_SHA256_BYTES];
    sl_sign_sha256(token, digest);
    return sl_arena_str(arena, (struct sl_str){.ptr = (const char *)digest, .len = sizeof(digest)});
}

/* RFC 4648, section 5, without padding: fit for a URL as it is. */
static struct sl_str base64url_of(struct sl_arena *arena, const uint8_t *bytes, size_t count)
{
    struct sl_buf out;
    sl_buf_init(&out, 4 * count);
    sl_sign_base64((struct sl_str){.ptr = (const char *)bytes, .len = count}, &out);
    while (out.len && out.data[out.len - 1] == '=')
        out.len--;
    for (size_t i = 0; i < out.len; i++)
        out.data[i] = out.data[i] == '+' ? '-' : out.data[i] == '/' ? '_' : out.data[i];
    struct sl_str copy = sl_arena_str(arena, (struct sl_str){.ptr = out.data, .len = out.len});
    sl_buf_deinit(&out);
    return copy;
}

static void make_invitation(const struct sl_seal_ring *ring, struct sl_arena *arena, struct input *input)
{
    const struct sl_str parts[] = {SL_STR("invite"), input->source, input->event_id};
    uint8_t mac[SL_SHA256_BYTES];
    sl_seal_mac(ring, parts, SL_ARRAY_LEN(parts), mac);
    input->as.workspace.token = base64url_of(arena, mac, sizeof(mac));
    input->as.workspace.token_sha256 = digest_of(arena, input->as.workspace.token);
}

static struct sl_str seal(const struct sl_seal_ring *ring, struct sl_arena *arena, const struct input *input,
                          struct sl_str token)
{
    const struct sl_str parts[] = {SL_STR("nonce"), input->source, input->event_id, token};
    uint8_t mac[SL_SHA256_BYTES];
    char workspace[SL_UUID_TEXT_BYTES];
    struct sl_buf out;
    sl_seal_mac(ring, parts, SL_ARRAY_LEN(parts), mac);
    sl_uuid_format(input->as.workspace.workspace_id, workspace);
    struct sl_str context =
        sl_arena_printf(arena, "%s%c%" SL_STR_FMT, workspace, '\0', SL_STR_ARG(input->as.workspace.connection_id));
    sl_buf_init(&out, SL_SEAL_SEALED_MAX);
    bool fits = sl_seal(ring, mac, context, token, &out);
    struct sl_str sealed = fits ? sl_arena_str(arena, sl_buf_str(&out)) : SL_STR_NONE;
    sl_buf_deinit(&out);
    return sealed;
}

/* What ingress has sealed for this event, in the arena; empty, with the sealed text left, when no key opens it. */
static struct sl_str open_sent(const struct sl_seal_ring *ring, struct sl_arena *arena, struct input *input)
{
    struct input_workspace *workspace = &input->as.workspace;
    struct sl_buf plain;
    sl_buf_init(&plain, SL_SEAL_TEXT_MAX);
    struct sl_str token = SL_STR_NONE;
    if (sl_seal_open_of_event(ring, input->source, input->event_id, workspace->token_sealed, &plain, NULL)) {
        token = sl_arena_str(arena, sl_buf_str(&plain));
        workspace->token_sealed = SL_STR_NONE;
    }
    if (plain.data)
        sl_secret_wipe(plain.data, plain.len);
    sl_buf_deinit(&plain);
    return token;
}

bool tokens_are_open(const struct input *input)
{
    bool takes_token = input->type == INPUT_INVITE_ACCEPT || input->type == INPUT_CONNECTION_SHARE;
    return !takes_token || sl_str_empty(input->as.workspace.token_sealed);
}

void tokens_prepare(const struct sl_seal_ring *ring, struct sl_arena *arena, struct input *input)
{
    struct input_workspace *workspace = &input->as.workspace;
    bool takes_token = input->type == INPUT_INVITE_ACCEPT || input->type == INPUT_CONNECTION_SHARE;
    if (!takes_token && input->type != INPUT_WORKSPACE_INVITE)
        return;
    struct sl_str sent = workspace->token; /* in events of older releases */
    if (takes_token && !sl_str_empty(workspace->token_sealed))
        sent = open_sent(ring, arena, input);
    workspace->token = SL_STR_NONE;
    if (input->type == INPUT_INVITE_ACCEPT && !sl_str_empty(sent))
        workspace->token_sha256 = digest_of(arena, sent);
    else if (input->type == INPUT_CONNECTION_SHARE && !sl_str_empty(sent) && !sl_seal_ring_is_empty(ring))
        workspace->sealed = seal(ring, arena, input, sent);
    else if (input->type == INPUT_WORKSPACE_INVITE && !sl_seal_ring_is_empty(ring))
        make_invitation(ring, arena, input);
    /* payload made the copy in the arena: it is ours to wipe. */
    sl_secret_wipe((void *)(uintptr_t)sent.ptr, sent.len);
}
