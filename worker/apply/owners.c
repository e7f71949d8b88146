/* owners.c - see owners.h. */
#include "worker/apply/owners.h"

#include <stdlib.h>

void owners_init(struct owners *owners, struct sl_arena *arena, size_t cap)
{
    *owners = (struct owners){.rows = sl_arena_alloc(arena, cap ? cap : 1, sizeof(struct owner)), .cap = cap};
}

void owners_add(struct owners *owners, struct sl_str key)
{
    if (sl_str_empty(key))
        return;
    SL_ASSERT(owners->count < owners->cap);
    owners->rows[owners->count++] = (struct owner){.key = key};
}

static int by_key(const void *a, const void *b)
{
    return sl_str_compare(((const struct owner *)a)->key, ((const struct owner *)b)->key);
}

void owners_seal(struct owners *owners)
{
    size_t kept = 0;
    qsort(owners->rows, owners->count, sizeof(*owners->rows), by_key);
    for (size_t i = 0; i < owners->count; i++) {
        if (!kept || !sl_str_equal(owners->rows[kept - 1].key, owners->rows[i].key))
            owners->rows[kept++] = owners->rows[i];
    }
    owners->count = kept;
}

struct owner *owners_find(const struct owners *owners, struct sl_str key)
{
    const struct owner wanted = {.key = key};
    return bsearch(&wanted, owners->rows, owners->count, sizeof(*owners->rows), by_key);
}

struct sl_str owners_user(const struct owners *owners, struct sl_str key)
{
    const struct owner *owner = sl_str_empty(key) ? NULL : owners_find(owners, key);
    return owner ? owner->user_id : SL_STR_NONE;
}
