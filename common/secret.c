/* secret.c - each secret has pages of its own: locked into memory where the limit allows, left out of core dumps. */
#include "common/secret.h"

#include <openssl/crypto.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct sl_secret {
    size_t mapped_bytes;
    size_t len;
    char bytes[]; /* NUL stands behind them */
};

struct sl_secret *sl_secret_create(struct sl_str bytes)
{
    if (bytes.len == 0) {
        return NULL;
    }
    const size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    SL_ASSERT(bytes.len < SIZE_MAX / 2);
    const size_t needed = sizeof(struct sl_secret) + bytes.len + 1;
    const size_t mapped_bytes = (needed + page_bytes - 1) / page_bytes * page_bytes;
    /* cppcheck-suppress invalidFunctionArg ; -1 is what an anonymous mapping wants: mmap(2) */
    struct sl_secret *secret = mmap(NULL, mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SL_ASSERT(secret != MAP_FAILED);
    /* Both are best effort: RLIMIT_MEMLOCK may be small, and old kernels know no DONTDUMP. */
    (void)mlock(secret, mapped_bytes);
    (void)madvise(secret, mapped_bytes, MADV_DONTDUMP);
    secret->mapped_bytes = mapped_bytes;
    secret->len = bytes.len;
    memcpy(secret->bytes, bytes.ptr, bytes.len);
    return secret;
}

void sl_secret_destroy(struct sl_secret *secret)
{
    if (secret != NULL) {
        const size_t mapped_bytes = secret->mapped_bytes;
        sl_secret_wipe(secret, mapped_bytes);
        SL_ASSERT(munmap(secret, mapped_bytes) == 0);
    }
}

struct sl_str sl_secret_borrow(const struct sl_secret *secret)
{
    return secret == NULL ? SL_STR_NONE : (struct sl_str){.ptr = secret->bytes, .len = secret->len};
}

bool sl_secret_equal(struct sl_str a, struct sl_str b)
{
    const size_t longer = a.len > b.len ? a.len : b.len;
    /* volatile: the compiler may not end the loop early once the answer is known. */
    volatile unsigned char difference = a.len == b.len ? 0 : 1;
    for (size_t i = 0; i < longer; i++) {
        const unsigned char from_a = i < a.len ? (unsigned char)a.ptr[i] : 0;
        const unsigned char from_b = i < b.len ? (unsigned char)b.ptr[i] : 0;
        difference = (unsigned char)(difference | (from_a ^ from_b));
    }
    return difference == 0;
}

void sl_secret_wipe(void *memory, size_t bytes)
{
    if (bytes > 0) {
        OPENSSL_cleanse(memory, bytes);
    }
}

bool sl_secrets_init(struct sl_secrets *secrets, struct sl_str comma_separated)
{
    *secrets = (struct sl_secrets){.count = 0};
    struct sl_str rest = comma_separated;
    while (rest.len > 0) {
        const struct sl_str item = sl_str_trim(sl_str_cut(&rest, ','));
        if (item.len == 0) {
            continue;
        }
        if (secrets->count == SL_SECRETS_MAX) {
            sl_secrets_deinit(secrets);
            return false;
        }
        secrets->items[secrets->count++] = sl_secret_create(item);
    }
    return true;
}

void sl_secrets_deinit(struct sl_secrets *secrets)
{
    for (size_t i = 0; i < secrets->count; i++) {
        sl_secret_destroy(secrets->items[i]);
    }
    *secrets = (struct sl_secrets){.count = 0};
}
