/* arena.c - chunks from malloc, cut from the front.
 *
 * Invariants: 1. the sum of the chunks' capacities <= bytes_max; 2. only the newest chunk is cut from; 3. under
 * AddressSanitizer what is not given out is poisoned, so that a use after the reset is found.
 */
#include "common/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(memory, bytes)   ASAN_POISON_MEMORY_REGION(memory, bytes)
#define UNPOISON(memory, bytes) ASAN_UNPOISON_MEMORY_REGION(memory, bytes)
#else
#define POISON(memory, bytes)   ((void)(memory), (void)(bytes))
#define UNPOISON(memory, bytes) ((void)(memory), (void)(bytes))
#endif

#define CHUNK_FIRST_BYTES ((size_t)4 * 1024)
#define CHUNK_LAST_BYTES  ((size_t)1024 * 1024) /* growth ends here; a larger request gets a chunk of its own size */

struct chunk {
    struct chunk *older;
    size_t cap;
    size_t used;
    alignas(max_align_t) unsigned char bytes[];
};

struct sl_arena {
    struct chunk *newest;
    size_t bytes_max;
    size_t cap_total;
    size_t used_total;
    size_t cap_next;
};

struct sl_arena *sl_arena_create(size_t bytes_max)
{
    struct sl_arena *arena = sl_malloc(sizeof(*arena));
    *arena = (struct sl_arena){.bytes_max = bytes_max, .cap_next = CHUNK_FIRST_BYTES};
    return arena;
}

static void free_chunks(struct chunk *chunk)
{
    while (chunk != NULL) {
        struct chunk *older = chunk->older;
        UNPOISON(chunk->bytes, chunk->cap);
        free(chunk);
        chunk = older;
    }
}

void sl_arena_destroy(struct sl_arena *arena)
{
    if (arena != NULL) {
        free_chunks(arena->newest);
        free(arena);
    }
}

void sl_arena_reset(struct sl_arena *arena)
{
    struct chunk *kept = NULL;
    struct chunk *chunk = arena->newest;
    while (chunk != NULL) {
        struct chunk *older = chunk->older;
        chunk->older = NULL;
        /* The largest that is not outsized: one huge event must not be remembered for ever. */
        const bool better = chunk->cap <= CHUNK_LAST_BYTES && (kept == NULL || chunk->cap > kept->cap);
        free_chunks(better ? kept : chunk);
        kept = better ? chunk : kept;
        chunk = older;
    }
    arena->newest = kept;
    arena->cap_total = 0;
    arena->used_total = 0;
    if (kept != NULL) {
        kept->used = 0;
        POISON(kept->bytes, kept->cap);
        arena->cap_total = kept->cap;
    }
}

static struct chunk *add_chunk(struct sl_arena *arena, size_t bytes)
{
    const size_t left = arena->bytes_max - arena->cap_total;
    SL_ASSERT(bytes <= left);
    size_t cap = arena->cap_next < bytes ? bytes : arena->cap_next;
    cap = cap < left ? cap : left;
    struct chunk *chunk = sl_malloc(sizeof(*chunk) + cap);
    *chunk = (struct chunk){.older = arena->newest, .cap = cap};
    POISON(chunk->bytes, cap);
    arena->newest = chunk;
    arena->cap_total += cap;
    arena->cap_next = arena->cap_next < CHUNK_LAST_BYTES ? arena->cap_next * 2 : CHUNK_LAST_BYTES;
    return chunk;
}

/* Not zeroed. */
static void *take(struct sl_arena *arena, size_t bytes, size_t alignment)
{
    struct chunk *chunk = arena->newest;
    size_t start = chunk == NULL ? 0 : (chunk->used + alignment - 1) / alignment * alignment;
    if (chunk == NULL || start > chunk->cap || bytes > chunk->cap - start) {
        chunk = add_chunk(arena, bytes);
        start = 0;
    }
    chunk->used = start + bytes;
    arena->used_total += bytes;
    UNPOISON(chunk->bytes + start, bytes);
    return chunk->bytes + start;
}

void *sl_arena_alloc(struct sl_arena *arena, size_t count, size_t bytes)
{
    SL_ASSERT(bytes == 0 || count <= SIZE_MAX / bytes);
    void *memory = take(arena, count * bytes, alignof(max_align_t));
    memset(memory, 0, count * bytes);
    return memory;
}

struct sl_str sl_arena_str(struct sl_arena *arena, struct sl_str text)
{
    return (struct sl_str){.ptr = sl_arena_cstr(arena, text), .len = text.len};
}

const char *sl_arena_cstr(struct sl_arena *arena, struct sl_str text)
{
    SL_ASSERT(text.len < SIZE_MAX);
    char *copy = take(arena, text.len + 1, 1);
    if (text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    copy[text.len] = '\0';
    return copy;
}

struct sl_str sl_arena_printf(struct sl_arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    const int len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    SL_ASSERT(len >= 0);
    char *text = take(arena, (size_t)len + 1, 1);
    (void)vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return (struct sl_str){.ptr = text, .len = (size_t)len};
}

size_t sl_arena_used_bytes(const struct sl_arena *arena)
{
    return arena->used_total;
}
