/* table.c - see table.h. */
#include "worker/apply/table.h"

#include <stdlib.h>

#define SLOTS_FIRST 64

static size_t hash_of(struct sl_str key)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ (uint8_t)key.ptr[i]) * UINT64_C(1099511628211);
    return (size_t)(hash ^ (hash >> 32));
}

/* The slot of the key, or the free one where it belongs. */
static struct table_slot *slot_of(const struct table *table, struct sl_str key)
{
    size_t i = hash_of(key) & (table->slot_count - 1);
    while (table->slots[i].value && !sl_str_equal(table->slots[i].key, key))
        i = (i + 1) & (table->slot_count - 1);
    return &table->slots[i];
}

static void grow(struct table *table)
{
    struct table grown = {.slot_count = table->slot_count ? table->slot_count * 2 : SLOTS_FIRST, .count = table->count};
    grown.slots = sl_calloc(grown.slot_count, sizeof(*grown.slots));
    for (size_t i = 0; i < table->slot_count; i++) {
        if (table->slots[i].value)
            *slot_of(&grown, table->slots[i].key) = table->slots[i];
    }
    free(table->slots);
    *table = grown;
}

void table_deinit(struct table *table)
{
    free(table->slots);
    *table = (struct table){0};
}

void *table_get(const struct table *table, struct sl_str key)
{
    return table->slot_count ? slot_of(table, key)->value : NULL;
}

void table_put(struct table *table, struct sl_str key, void *value)
{
    SL_ASSERT(value);
    if ((table->count + 1) * 4 > table->slot_count * 3)
        grow(table);
    struct table_slot *slot = slot_of(table, key);
    table->count += !slot->value;
    *slot = (struct table_slot){.key = key, .value = value};
}

void table_each(const struct table *table, void (*visit)(void *value))
{
    for (size_t i = 0; i < table->slot_count; i++) {
        if (table->slots[i].value)
            visit(table->slots[i].value);
    }
}
