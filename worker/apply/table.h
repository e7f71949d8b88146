/* table.h - rows in memory by a key of bytes (an id's text, a UUID's bytes): open addressing, grown as needed.
 *
 * Neither keys nor values are copied: a key has to live as long as its entry, best inside the value. One thread.
 */
#ifndef APPLY_TABLE_H
#define APPLY_TABLE_H

#include "common/str.h"

struct table_slot {
    struct sl_str key;
    void *value; /* NULL: free */
};

struct table {
    struct table_slot *slots;
    size_t slot_count; /* 0 or a power of two, at least a quarter of it free */
    size_t count;
};

/* All zero is an empty table. */
void table_deinit(struct table *table);
void *table_get(const struct table *table, struct sl_str key); /* NULL: not there */
/* Enters or replaces, key and value. */
void table_put(struct table *table, struct sl_str key, void *value);
/* Each value, in no order that means anything. */
void table_each(const struct table *table, void (*visit)(void *value));

#endif
