/* bytes.h - a fuzzer's input, taken apart from the front. What is taken is a block of exactly its size on the heap, so
 * that AddressSanitizer sees the first byte read behind it.
 */
#ifndef FUZZ_BYTES_H
#define FUZZ_BYTES_H

#include <stdlib.h>
#include <string.h>

#include "common/str.h"

struct fuzz_bytes {
    const uint8_t *at;
    size_t left;
};

/* The next byte; 0 behind the last. */
static inline unsigned fuzz_byte(struct fuzz_bytes *bytes)
{
    if (bytes->left == 0)
        return 0;
    bytes->left--;
    return *bytes->at++;
}

/* What stands before the next NUL, or the rest; freed with free((void *)text.ptr). */
static inline struct sl_str fuzz_text(struct fuzz_bytes *bytes)
{
    const uint8_t *end = bytes->left > 0 ? memchr(bytes->at, 0, bytes->left) : NULL;
    size_t len = end ? (size_t)(end - bytes->at) : bytes->left;
    char *copy = sl_malloc(len > 0 ? len : 1);
    if (len > 0)
        memcpy(copy, bytes->at, len);
    size_t taken = end ? len + 1 : len;
    bytes->at += taken;
    bytes->left -= taken;
    return (struct sl_str){.ptr = copy, .len = len};
}

/* All that is left, NULs too. */
static inline struct sl_str fuzz_rest(struct fuzz_bytes *bytes)
{
    char *copy = sl_malloc(bytes->left > 0 ? bytes->left : 1);
    if (bytes->left > 0)
        memcpy(copy, bytes->at, bytes->left);
    struct sl_str text = {.ptr = copy, .len = bytes->left};
    bytes->at += bytes->left;
    bytes->left = 0;
    return text;
}

static inline void fuzz_free(struct sl_str text)
{
    free((void *)(uintptr_t)text.ptr);
}

#endif
