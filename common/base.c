/* base.c - the failed assertion and the allocators that don't fail. */
#include "common/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sl_assert_failed(const char *condition, const char *file, int line)
{
    /* dprintf: stdio's buffers and locks may be what is broken. */
    (void)dprintf(2, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}

static void *checked(void *memory, size_t bytes)
{
    if (memory == NULL) {
        (void)dprintf(2, "out of memory: %zu bytes refused\n", bytes);
        abort();
    }
    return memory;
}

void *sl_malloc(size_t bytes)
{
    /* malloc(0) may give NULL, which is no failure. */
    return checked(malloc(bytes != 0 ? bytes : 1), bytes);
}

void *sl_calloc(size_t count, size_t bytes)
{
    SL_ASSERT(bytes == 0 || count <= SIZE_MAX / bytes);
    const size_t total = count * bytes;
    return checked(calloc(total != 0 ? total : 1, 1), total);
}

void *sl_realloc(void *memory, size_t bytes)
{
    return checked(realloc(memory, bytes != 0 ? bytes : 1), bytes);
}

char *sl_strdup(const char *text)
{
    SL_ASSERT(text != NULL);
    const size_t bytes = strlen(text) + 1;
    char *copy = sl_malloc(bytes);
    memcpy(copy, text, bytes);
    return copy;
}
