/* key.c - see key.h. */
#include "ingress/key.h"

#include "common/utf8.h"

bool key_is_usable(struct sl_str text)
{
    return text.len > 0 && text.len <= KEY_BYTES_MAX && sl_utf8_is_plain(text);
}

struct sl_str key_choose(const struct key_parts *parts, struct sl_str event_id, key_directory *lookup, void *directory,
                         struct sl_arena *arena)
{
    if (key_is_usable(parts->user))
        return parts->user;
    if (key_is_usable(parts->customer)) {
        struct sl_str user = lookup(directory, parts->customer, arena);
        return key_is_usable(user) ? user : parts->customer;
    }
    SL_ASSERT(!sl_str_empty(event_id));
    return key_is_usable(parts->object) ? parts->object : event_id;
}
