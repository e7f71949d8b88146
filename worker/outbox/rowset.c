/* rowset.c - see rowset.h. The table has twice as many slots as rows may be in hand, so that probes stay short. */
#include "worker/outbox/rowset.h"

#include <stdlib.h>

struct rowset {
    int64_t *slots;    /* 0: empty */
    size_t slot_count; /* a power of two */
    size_t row_count;
    size_t row_max;
};

struct rowset *rowset_create(size_t capacity)
{
    struct rowset *rows = sl_calloc(1, sizeof(*rows));
    rows->row_max = capacity;
    rows->slot_count = 2;
    while (rows->slot_count < capacity * 2)
        rows->slot_count *= 2;
    rows->slots = sl_calloc(rows->slot_count, sizeof(*rows->slots));
    return rows;
}

void rowset_destroy(struct rowset *rows)
{
    if (!rows)
        return;
    free(rows->slots);
    free(rows);
}

static size_t home_of(const struct rowset *rows, int64_t row_id)
{
    /* Fibonacci hashing: neighbouring ids spread over the table. */
    return (size_t)(((uint64_t)row_id * UINT64_C(11400714819323198485)) >> 32) & (rows->slot_count - 1);
}

/* The row's slot, or the empty one where it would go. */
static size_t slot_of(const struct rowset *rows, int64_t row_id)
{
    SL_ASSERT(row_id > 0);
    size_t i = home_of(rows, row_id);
    while (rows->slots[i] && rows->slots[i] != row_id)
        i = (i + 1) & (rows->slot_count - 1);
    return i;
}

bool rowset_has(const struct rowset *rows, int64_t row_id)
{
    return rows->slots[slot_of(rows, row_id)] != 0;
}

void rowset_add(struct rowset *rows, int64_t row_id)
{
    size_t i = slot_of(rows, row_id);
    if (rows->slots[i])
        return;
    SL_ASSERT(rows->row_count < rows->row_max);
    rows->slots[i] = row_id;
    rows->row_count++;
}

void rowset_remove(struct rowset *rows, int64_t row_id)
{
    size_t hole = slot_of(rows, row_id);
    if (!rows->slots[hole])
        return;
    /* Closes the gap, so that no probe ends too early (Knuth, volume 3, section 6.4, algorithm R). */
    size_t mask = rows->slot_count - 1;
    for (size_t i = (hole + 1) & mask; rows->slots[i]; i = (i + 1) & mask) {
        size_t home = home_of(rows, rows->slots[i]);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            rows->slots[hole] = rows->slots[i];
            hole = i;
        }
    }
    rows->slots[hole] = 0;
    rows->row_count--;
}

bool rowset_is_full(const struct rowset *rows)
{
    return rows->row_count >= rows->row_max;
}

size_t rowset_count(const struct rowset *rows)
{
    return rows->row_count;
}
