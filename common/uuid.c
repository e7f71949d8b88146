/* uuid.c - RFC 9562, sections 5.5 (named) and 5.7 (by time). */
#include "common/uuid.h"

#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "common/sign.h"

#define SHA1_BYTES 20

/* Made once, at random (version 4). Changing it changes every derived id, and so what counts as seen before. */
const struct sl_uuid SL_UUID_SPACE = {
    {0x1f, 0x48, 0xc2, 0xd1, 0x39, 0xef, 0x44, 0xd8, 0xb3, 0xd3, 0x33, 0x4b, 0xe3, 0x53, 0xa7, 0x37}};

/* Bytes before each hyphen of the text form. */
static const size_t GROUP_BYTES[] = {4, 2, 2, 2, 6};

bool sl_uuid_parse(struct sl_str text, struct sl_uuid *ret_uuid)
{
    struct sl_uuid uuid;
    if (text.len != SL_UUID_TEXT_BYTES - 1) {
        return false;
    }
    size_t at = 0;
    size_t filled = 0;
    for (size_t i = 0; i < SL_ARRAY_LEN(GROUP_BYTES); i++) {
        if (i > 0 && text.ptr[at++] != '-') {
            return false;
        }
        const struct sl_str group = {.ptr = text.ptr + at, .len = 2 * GROUP_BYTES[i]};
        if (!sl_sign_unhex(group, false, uuid.bytes + filled, GROUP_BYTES[i])) {
            return false;
        }
        at += group.len;
        filled += GROUP_BYTES[i];
    }
    *ret_uuid = uuid;
    return true;
}

void sl_uuid_format(struct sl_uuid uuid, char ret_text[SL_UUID_TEXT_BYTES])
{
    size_t at = 0;
    size_t read = 0;
    for (size_t i = 0; i < SL_ARRAY_LEN(GROUP_BYTES); i++) {
        if (i > 0) {
            ret_text[at++] = '-';
        }
        sl_sign_hex(uuid.bytes + read, GROUP_BYTES[i], ret_text + at);
        at += 2 * GROUP_BYTES[i];
        read += GROUP_BYTES[i];
    }
}

bool sl_uuid_equal(struct sl_uuid a, struct sl_uuid b)
{
    return sl_uuid_compare(a, b) == 0;
}

bool sl_uuid_is_nil(struct sl_uuid uuid)
{
    return sl_uuid_equal(uuid, (struct sl_uuid){.bytes = {0}});
}

int sl_uuid_compare(struct sl_uuid a, struct sl_uuid b)
{
    return memcmp(a.bytes, b.bytes, sizeof(a.bytes));
}

static void stamp(struct sl_uuid *uuid, uint8_t version)
{
    uuid->bytes[6] = (uint8_t)((uuid->bytes[6] & 0x0F) | version << 4);
    uuid->bytes[8] = (uint8_t)((uuid->bytes[8] & 0x3F) | 0x80);
}

static EVP_MD *sha1_algorithm;
static pthread_once_t fetched = PTHREAD_ONCE_INIT;

static void fetch(void)
{
    sha1_algorithm = EVP_MD_fetch(NULL, "SHA1", NULL);
    SL_ASSERT(sha1_algorithm != NULL);
}

struct sl_uuid sl_uuid_v5(struct sl_uuid space, const struct sl_str *parts, size_t part_count)
{
    SL_ASSERT(pthread_once(&fetched, fetch) == 0);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    SL_ASSERT(context != NULL && EVP_DigestInit_ex(context, sha1_algorithm, NULL) == 1);
    SL_ASSERT(EVP_DigestUpdate(context, space.bytes, sizeof(space.bytes)) == 1);
    for (size_t i = 0; i < part_count; i++) {
        SL_ASSERT(i == 0 || EVP_DigestUpdate(context, "", 1) == 1);
        SL_ASSERT(parts[i].len == 0 || EVP_DigestUpdate(context, parts[i].ptr, parts[i].len) == 1);
    }
    uint8_t digest[SHA1_BYTES];
    unsigned int digest_bytes = 0;
    SL_ASSERT(EVP_DigestFinal_ex(context, digest, &digest_bytes) == 1 && digest_bytes == sizeof(digest));
    EVP_MD_CTX_free(context);
    struct sl_uuid uuid;
    memcpy(uuid.bytes, digest, sizeof(uuid.bytes));
    stamp(&uuid, 5);
    return uuid;
}

struct sl_uuid sl_uuid_v7(int64_t now_ms, const uint8_t random[10])
{
    SL_ASSERT(now_ms >= 0 && now_ms < (int64_t)1 << 48);
    struct sl_uuid uuid;
    for (size_t i = 0; i < 6; i++) {
        uuid.bytes[i] = (uint8_t)((uint64_t)now_ms >> (40 - 8 * i));
    }
    memcpy(uuid.bytes + 6, random, 10);
    stamp(&uuid, 7);
    return uuid;
}

void sl_random_bytes(void *memory, size_t bytes)
{
    unsigned char *at = memory;
    while (bytes > 0) {
        const ssize_t got = getrandom(at, bytes, 0);
        SL_ASSERT(got > 0 || (got < 0 && errno == EINTR));
        if (got > 0) {
            at += got;
            bytes -= (size_t)got;
        }
    }
}
