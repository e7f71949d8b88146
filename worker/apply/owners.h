/* owners.h - whose is it: a sorted table from an id (customer, subscription, job) to its user, for the ids that a batch
 * names. */
#ifndef APPLY_OWNERS_H
#define APPLY_OWNERS_H

#include "common/arena.h"
#include "common/str.h"
#include "common/uuid.h"

struct owner {
    struct sl_str key;     /* the id's text, or the 16 bytes of a UUID */
    struct sl_str user_id; /* empty: nobody's as far as we know */
};

struct owners {
    struct owner *rows;
    size_t count, cap;
};

/* Room for `cap` keys, all from `arena`. */
void owners_init(struct owners *owners, struct sl_arena *arena, size_t cap);
void owners_add(struct owners *owners, struct sl_str key);
/* After the last add: sorts, drops doubles. */
void owners_seal(struct owners *owners);
struct owner *owners_find(const struct owners *owners, struct sl_str key); /* NULL: not named by the batch */
struct sl_str owners_user(const struct owners *owners, struct sl_str key); /* empty: unknown */

static inline struct sl_str owners_key(const struct sl_uuid *id)
{
    return (struct sl_str){.ptr = (const char *)id->bytes, .len = sizeof(id->bytes)};
}

#endif
