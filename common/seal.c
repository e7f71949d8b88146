/* seal.c - see seal.h. Invariant: no plain text and no key stays in memory that is not the caller's. */
#include "common/seal.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "common/secret.h"

#define HEAD_BYTES        (SL_SEAL_NONCE_BYTES + SL_SEAL_TAG_BYTES)
#define MAC_PARTS_MAX     8
#define EVENT_CONTEXT_MAX ((size_t)4096)

struct key {
    char id[SL_SEAL_KEY_ID_MAX + 1];
    struct sl_secret *bytes;
};

struct sl_seal_ring {
    struct key keys[SL_SEAL_KEYS_MAX];
    size_t count;
};

static bool is_id(struct sl_str id)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    for (size_t i = 0; i < id.len; i++) {
        if (id.ptr[i] == '\0' || !strchr(allowed, id.ptr[i]))
            return false;
    }
    return id.len > 0 && id.len <= SL_SEAL_KEY_ID_MAX;
}

static const struct key *find(const struct sl_seal_ring *ring, struct sl_str id)
{
    for (size_t i = 0; i < ring->count; i++) {
        if (sl_str_is(id, ring->keys[i].id))
            return &ring->keys[i];
    }
    return NULL;
}

static bool add(struct sl_seal_ring *ring, struct sl_str item, struct sl_err *err)
{
    uint8_t bytes[SL_SEAL_KEY_BYTES];
    size_t count = 0;
    struct sl_str id = sl_str_cut(&item, ':');
    size_t number = ring->count + 1;
    if (ring->count == SL_SEAL_KEYS_MAX)
        return sl_err_set(err, SL_ERR_PERMANENT, "there are more than %d data keys", SL_SEAL_KEYS_MAX);
    if (!is_id(id))
        return sl_err_set(err, SL_ERR_PERMANENT,
                          "data key %zu has no id of letters, digits, '-', '_' or '.' before a ':'", number);
    if (find(ring, id))
        return sl_err_set(err, SL_ERR_PERMANENT, "data key %zu has the id of another one", number);
    bool ok = sl_sign_unbase64(item, bytes, sizeof(bytes), &count) && count == sizeof(bytes);
    if (ok) {
        struct key *key = &ring->keys[ring->count++];
        memcpy(key->id, id.ptr, id.len);
        key->bytes = sl_secret_create((struct sl_str){.ptr = (const char *)bytes, .len = sizeof(bytes)});
    }
    sl_secret_wipe(bytes, sizeof(bytes));
    return ok ||
           sl_err_set(err, SL_ERR_PERMANENT, "data key %zu is not the base64 of %d bytes", number, SL_SEAL_KEY_BYTES);
}

bool sl_seal_ring_create(struct sl_str keys, struct sl_seal_ring **ret_ring, struct sl_err *err)
{
    struct sl_seal_ring *ring = sl_calloc(1, sizeof(*ring));
    while (!sl_str_empty(keys)) {
        struct sl_str item = sl_str_trim(sl_str_cut(&keys, ','));
        if (!sl_str_empty(item) && !add(ring, item, err)) {
            sl_seal_ring_destroy(ring);
            return false;
        }
    }
    *ret_ring = ring;
    return true;
}

void sl_seal_ring_destroy(struct sl_seal_ring *ring)
{
    if (!ring)
        return;
    for (size_t i = 0; i < ring->count; i++)
        sl_secret_destroy(ring->keys[i].bytes);
    free(ring);
}

bool sl_seal_ring_is_empty(const struct sl_seal_ring *ring)
{
    return ring->count == 0;
}

void sl_seal_mac(const struct sl_seal_ring *ring, const struct sl_str *parts, size_t part_count,
                 uint8_t ret_mac[SL_SHA256_BYTES])
{
    static const struct sl_str nul = {.ptr = "", .len = 1};
    struct sl_str joined[2 * MAC_PARTS_MAX];
    SL_ASSERT(ring->count > 0 && part_count > 0 && part_count <= MAC_PARTS_MAX);
    for (size_t i = 0; i < part_count; i++) {
        joined[2 * i] = parts[i];
        joined[2 * i + 1] = nul;
    }
    sl_sign_hmac_sha256(sl_secret_borrow(ring->keys[0].bytes), joined, 2 * part_count - 1, ret_mac);
}

static const unsigned char *bytes_of(struct sl_str text)
{
    return (const unsigned char *)(text.len ? text.ptr : "");
}

/* What both directions begin with. OpenSSL refuses none of this: it is asserted. */
static EVP_CIPHER_CTX *begin(const struct key *key, const uint8_t *nonce, struct sl_str context, bool encrypt)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int len = 0;
    SL_ASSERT(cipher != NULL);
    SL_ASSERT(EVP_CipherInit_ex(cipher, EVP_aes_256_gcm(), NULL, bytes_of(sl_secret_borrow(key->bytes)), nonce,
                                encrypt ? 1 : 0) == 1);
    SL_ASSERT(EVP_CipherUpdate(cipher, NULL, &len, bytes_of(context), (int)context.len) == 1);
    return cipher;
}

bool sl_seal(const struct sl_seal_ring *ring, const uint8_t nonce[SL_SEAL_NONCE_BYTES], struct sl_str context,
             struct sl_str text, struct sl_buf *out)
{
    SL_ASSERT(ring->count > 0);
    if (text.len > SL_SEAL_TEXT_MAX || context.len > SL_SEAL_TEXT_MAX)
        return false;
    const struct key *key = &ring->keys[0];
    uint8_t *bytes = sl_malloc(HEAD_BYTES + text.len + 1);
    int len = 0;
    int rest = 0;
    EVP_CIPHER_CTX *cipher = begin(key, nonce, context, true);
    memcpy(bytes, nonce, SL_SEAL_NONCE_BYTES);
    SL_ASSERT(EVP_CipherUpdate(cipher, bytes + HEAD_BYTES, &len, bytes_of(text), (int)text.len) == 1);
    SL_ASSERT(EVP_CipherFinal_ex(cipher, bytes + HEAD_BYTES + len, &rest) == 1);
    SL_ASSERT((size_t)len == text.len && rest == 0);
    SL_ASSERT(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, SL_SEAL_TAG_BYTES, bytes + SL_SEAL_NONCE_BYTES) == 1);
    EVP_CIPHER_CTX_free(cipher);
    (void)sl_buf_append_cstr(out, key->id);
    (void)sl_buf_append_char(out, ':');
    sl_sign_base64((struct sl_str){.ptr = (const char *)bytes, .len = HEAD_BYTES + text.len}, out);
    free(bytes);
    return !out->overflow;
}

/* Verifies before anything is given out. */
static bool open_bytes(const struct key *key, uint8_t *bytes, size_t count, struct sl_str context, struct sl_buf *out)
{
    size_t text_bytes = count - HEAD_BYTES;
    uint8_t *text = sl_malloc(text_bytes + 1);
    int len = 0;
    int rest = 0;
    EVP_CIPHER_CTX *cipher = begin(key, bytes, context, false);
    SL_ASSERT(EVP_CipherUpdate(cipher, text, &len, bytes + HEAD_BYTES, (int)text_bytes) == 1);
    SL_ASSERT(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, SL_SEAL_TAG_BYTES, bytes + SL_SEAL_NONCE_BYTES) == 1);
    bool ok = EVP_CipherFinal_ex(cipher, text + len, &rest) == 1 && sl_buf_append(out, text, text_bytes);
    EVP_CIPHER_CTX_free(cipher);
    sl_secret_wipe(text, text_bytes);
    free(text);
    return ok;
}

bool sl_seal_open(const struct sl_seal_ring *ring, struct sl_str sealed, struct sl_str context, struct sl_buf *out,
                  struct sl_err *err)
{
    struct sl_str rest = sealed;
    const struct key *key = find(ring, sl_str_cut(&rest, ':'));
    size_t count = 0;
    if (sealed.len > SL_SEAL_SEALED_MAX || context.len > SL_SEAL_TEXT_MAX)
        return sl_err_set(err, SL_ERR_PERMANENT, "the sealed text is longer than any that was made");
    if (!key) {
        (void)sl_err_set(err, SL_ERR_PERMANENT, "the sealed text's key is not among the data keys");
        sl_err_hint(err, "Keep an old key behind the new one for as long as it may be named.");
        return false;
    }
    uint8_t *bytes = sl_malloc(rest.len + 1);
    bool ok = sl_sign_unbase64(rest, bytes, rest.len, &count) && count >= HEAD_BYTES;
    if (!ok)
        (void)sl_err_set(err, SL_ERR_PERMANENT, "the sealed text is malformed");
    else if (!open_bytes(key, bytes, count, context, out))
        ok = sl_err_set(err, SL_ERR_PERMANENT, "the sealed text was altered, or is another's");
    free(bytes);
    return ok;
}

/* "event", the source and the id, a NUL between each two: never a context of the worker's own. False: too long. */
static bool event_context(struct sl_str source, struct sl_str event_id, struct sl_buf *out)
{
    sl_buf_init(out, EVENT_CONTEXT_MAX);
    (void)sl_buf_append(out, "event", sizeof("event"));
    (void)sl_buf_append_str(out, source);
    (void)sl_buf_append_char(out, '\0');
    (void)sl_buf_append_str(out, event_id);
    return !out->overflow;
}

bool sl_seal_for_event(const struct sl_seal_ring *ring, struct sl_str source, struct sl_str event_id,
                       struct sl_str text, struct sl_buf *out)
{
    const struct sl_str parts[] = {SL_STR("event nonce"), source, event_id, text};
    uint8_t mac[SL_SHA256_BYTES];
    struct sl_buf context;
    sl_seal_mac(ring, parts, SL_ARRAY_LEN(parts), mac);
    bool ok = event_context(source, event_id, &context) && sl_seal(ring, mac, sl_buf_str(&context), text, out);
    sl_buf_deinit(&context);
    return ok;
}

bool sl_seal_open_of_event(const struct sl_seal_ring *ring, struct sl_str source, struct sl_str event_id,
                           struct sl_str sealed, struct sl_buf *out, struct sl_err *err)
{
    struct sl_buf context;
    bool ok = event_context(source, event_id, &context)
                  ? sl_seal_open(ring, sealed, sl_buf_str(&context), out, err)
                  : sl_err_set(err, SL_ERR_PERMANENT, "the event's source and id are too long");
    sl_buf_deinit(&context);
    return ok;
}
