/* bucket.c - see bucket.h. Sets of eight entries, chosen by a seeded hash of the address. */
#include "ingress/bucket.h"

#include <stdlib.h>
#include <string.h>

#define WAYS 8
#define SETS (BUCKET_ENTRIES / WAYS)

struct bucket_entry {
    struct address key;
    int64_t arrival_us; /* in the past: a full bucket, as good as unused */
};

struct bucket_table {
    uint64_t seed;
    struct bucket_entry sets[SETS][WAYS];
};

struct bucket_table *bucket_table_create(uint64_t seed)
{
    struct bucket_table *table = sl_calloc(1, sizeof(*table));
    table->seed = seed;
    return table;
}

void bucket_table_destroy(struct bucket_table *table)
{
    free(table);
}

int64_t bucket_take_us(struct bucket_table *table, struct address key, struct bucket_rate rate, int64_t now_us)
{
    SL_ASSERT(rate.period_us > 0 && rate.burst > 0);
    struct bucket_entry *set = table->sets[address_hash(key, table->seed) % SETS];
    struct bucket_entry *entry = NULL;
    struct bucket_entry *spare = &set[0];
    for (size_t i = 0; i < WAYS && !entry; i++) {
        if (memcmp(&set[i].key, &key, sizeof(key)) == 0)
            entry = &set[i];
        else if (set[i].arrival_us < spare->arrival_us)
            spare = &set[i];
    }
    if (!entry) {
        entry = spare;
        *entry = (struct bucket_entry){.key = key, .arrival_us = now_us};
    }
    int64_t arrival_us = entry->arrival_us > now_us ? entry->arrival_us : now_us;
    int64_t wait_us = arrival_us - now_us - (rate.burst - 1) * rate.period_us;
    if (wait_us > 0)
        return wait_us;
    entry->arrival_us = arrival_us + rate.period_us;
    return 0;
}
