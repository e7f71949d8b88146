/* arena.h - memory that lives as long as one request, one event or one batch, and goes in one place.
 *
 * Not for sharing between threads. Allocation never fails short of the limit given at creation; beyond it the process
 * asserts: callers bound what they put in by their own limits (bodies, batches), and the arena's is above their sum.
 */
#ifndef SL_ARENA_H
#define SL_ARENA_H

#include "common/str.h"

struct sl_arena;

/* `bytes_max` bounds all chunks together. Owned by the caller until sl_arena_destroy. */
SL_MUST_CHECK struct sl_arena *sl_arena_create(size_t bytes_max);
void sl_arena_destroy(struct sl_arena *arena); /* accepts NULL */

/* Frees everything allocated from it, keeping one chunk for reuse. */
void sl_arena_reset(struct sl_arena *arena);

/* Zeroed memory, aligned for any type; borrowed until reset or destroy. `count * bytes` must not overflow. */
void *sl_arena_alloc(struct sl_arena *arena, size_t count, size_t bytes);
struct sl_str sl_arena_str(struct sl_arena *arena, struct sl_str text); /* a copy; NUL stands behind it */
const char *sl_arena_cstr(struct sl_arena *arena, struct sl_str text);  /* a NUL-terminated copy */
struct sl_str sl_arena_printf(struct sl_arena *arena, const char *format, ...) SL_PRINTF(2, 3);
size_t sl_arena_used_bytes(const struct sl_arena *arena);

#endif
