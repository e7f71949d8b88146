/* partitions.c - see partitions.h.
 *
 * Invariants: 1. published <= next <= fetched (fetched may lag while outcomes are announced anew); 2. the ring's
 * offsets rise, and lie in [published, next); 3. its first entry is not confirmed; 4. an empty ring means published ==
 * next.
 */
#include "worker/apply/partitions.h"

#include <stdlib.h>
#include <string.h>

#define FLYING_CAP_FIRST 64

void partitions_deinit(struct partitions *partitions)
{
    for (size_t i = 0; i < partitions->count; i++)
        free(partitions->rows[i].flying);
    free(partitions->rows);
    *partitions = (struct partitions){0};
}

void partitions_revoke(struct partitions *partitions)
{
    for (size_t i = 0; i < partitions->count; i++) {
        partitions->rows[i].assigned = false;
        partitions->rows[i].epoch++;
        partitions->rows[i].flying_count = 0;
    }
}

static struct partition *at(struct partitions *partitions, int32_t number)
{
    SL_ASSERT(number >= 0 && number < PARTITIONS_MAX);
    if ((size_t)number >= partitions->count) {
        size_t count = (size_t)number + 1;
        partitions->rows = sl_realloc(partitions->rows, count * sizeof(*partitions->rows));
        memset(partitions->rows + partitions->count, 0, (count - partitions->count) * sizeof(*partitions->rows));
        partitions->count = count;
    }
    return &partitions->rows[number];
}

void partitions_assign(struct partitions *partitions, int32_t number, int64_t next, int64_t published)
{
    struct partition *partition = at(partitions, number);
    SL_ASSERT(0 <= published && published <= next);
    int64_t hole = partition->hole;
    *partition = (struct partition){
        .assigned = true,
        .epoch = partition->epoch + 1,
        .fetched = published,
        .next = next,
        .published = published,
        .published_stored = published,
        .hole = hole ? hole : -1,
        .flying = partition->flying,
        .flying_cap = partition->flying_cap,
    };
}

struct partition *partitions_find(struct partitions *partitions, int32_t number)
{
    if (number < 0 || (size_t)number >= partitions->count || !partitions->rows[number].assigned)
        return NULL;
    return &partitions->rows[number];
}

static void grow(struct partition *partition)
{
    size_t cap = partition->flying_cap ? partition->flying_cap * 2 : FLYING_CAP_FIRST;
    struct flying_outcome *ring = sl_calloc(cap, sizeof(*ring));
    for (size_t i = 0; i < partition->flying_count; i++)
        ring[i] = partition->flying[(partition->flying_head + i) % partition->flying_cap];
    free(partition->flying);
    partition->flying = ring;
    partition->flying_cap = cap;
    partition->flying_head = 0;
}

uint64_t partition_fly(struct partition *partition, int64_t offset)
{
    if (partition->flying_count == partition->flying_cap)
        grow(partition);
    size_t i = (partition->flying_head + partition->flying_count) % partition->flying_cap;
    partition->flying[i] = (struct flying_outcome){.offset = offset};
    return partition->flying_first + partition->flying_count++;
}

void partition_confirm(struct partition *partition, uint64_t number)
{
    SL_ASSERT(number >= partition->flying_first && number - partition->flying_first < partition->flying_count);
    size_t index = (size_t)(number - partition->flying_first);
    partition->flying[(partition->flying_head + index) % partition->flying_cap].confirmed = true;
    while (partition->flying_count && partition->flying[partition->flying_head].confirmed) {
        partition->published = partition->flying[partition->flying_head].offset + 1;
        partition->flying_head = (partition->flying_head + 1) % partition->flying_cap;
        partition->flying_first++;
        partition->flying_count--;
    }
}

void partition_check(const struct partition *partition)
{
    SL_ASSERT(partition->published <= partition->next);
    int64_t before = partition->published - 1;
    for (size_t i = 0; i < partition->flying_count; i++) {
        const struct flying_outcome *outcome = &partition->flying[(partition->flying_head + i) % partition->flying_cap];
        SL_ASSERT(outcome->offset > before && outcome->offset < partition->next);
        SL_ASSERT(i > 0 || !outcome->confirmed);
        before = outcome->offset;
    }
}
