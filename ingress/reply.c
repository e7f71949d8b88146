/* reply.c - see reply.h. Chains by the correlation id's first bytes, which are random. */
#include "ingress/reply.h"

#include <pthread.h>
#include <stdlib.h>

#define CHAINS 1024

struct replies {
    pthread_mutex_t lock;
    size_t count;
    size_t waits_max;
    struct reply_wait *chains[CHAINS];
};

struct replies *replies_create(size_t waits_max)
{
    struct replies *replies = sl_calloc(1, sizeof(*replies));
    SL_ASSERT(pthread_mutex_init(&replies->lock, NULL) == 0);
    replies->waits_max = waits_max;
    return replies;
}

void replies_destroy(struct replies *replies)
{
    if (!replies)
        return;
    SL_ASSERT(replies->count == 0);
    (void)pthread_mutex_destroy(&replies->lock);
    free(replies);
}

/* Version 7 ids begin with the time: their random part is at the end. */
static struct reply_wait **chain_of(struct replies *replies, struct sl_uuid id)
{
    return &replies->chains[((unsigned)id.bytes[14] << 8 | id.bytes[15]) % CHAINS];
}

/* Takes the wait out of its chain and tells its owner. */
static void end(struct replies *replies, struct reply_wait **link, struct sl_str outcome)
{
    struct reply_wait *wait = *link;
    *link = wait->next;
    replies->count--;
    wait->done(wait->arg, outcome);
}

bool reply_wait(struct replies *replies, struct reply_wait *wait)
{
    SL_ASSERT(pthread_mutex_lock(&replies->lock) == 0);
    bool room = replies->count < replies->waits_max;
    if (room) {
        struct reply_wait **link = chain_of(replies, wait->id);
        wait->next = *link;
        *link = wait;
        replies->count++;
    }
    SL_ASSERT(pthread_mutex_unlock(&replies->lock) == 0);
    return room;
}

void reply_cancel(struct replies *replies, struct reply_wait *wait)
{
    SL_ASSERT(pthread_mutex_lock(&replies->lock) == 0);
    struct reply_wait **link = chain_of(replies, wait->id);
    while (*link && *link != wait)
        link = &(*link)->next;
    if (*link) {
        *link = wait->next;
        replies->count--;
    }
    SL_ASSERT(pthread_mutex_unlock(&replies->lock) == 0);
}

bool replies_deliver(struct replies *replies, struct sl_uuid id, struct sl_str outcome)
{
    SL_ASSERT(pthread_mutex_lock(&replies->lock) == 0);
    struct reply_wait **link = chain_of(replies, id);
    while (*link && !sl_uuid_equal((*link)->id, id))
        link = &(*link)->next;
    bool found = *link != NULL;
    if (found)
        end(replies, link, outcome);
    SL_ASSERT(pthread_mutex_unlock(&replies->lock) == 0);
    return found;
}

size_t replies_expire(struct replies *replies, int64_t now_ms, bool all)
{
    size_t ended = 0;
    SL_ASSERT(pthread_mutex_lock(&replies->lock) == 0);
    for (size_t i = 0; i < CHAINS && replies->count > 0; i++) {
        struct reply_wait **link = &replies->chains[i];
        while (*link) {
            if (all || (*link)->deadline_ms <= now_ms) {
                end(replies, link, SL_STR_NONE);
                ended++;
            } else {
                link = &(*link)->next;
            }
        }
    }
    SL_ASSERT(pthread_mutex_unlock(&replies->lock) == 0);
    return ended;
}

size_t replies_count(struct replies *replies)
{
    SL_ASSERT(pthread_mutex_lock(&replies->lock) == 0);
    size_t count = replies->count;
    SL_ASSERT(pthread_mutex_unlock(&replies->lock) == 0);
    return count;
}

/* "respond-async, wait=10; x=y": of a preference given twice the first counts (RFC 7240, section 2). */
int reply_preference_s(const struct headers *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        struct sl_str list = headers->items[i].value;
        if (!sl_str_equal_ignore_case(headers->items[i].name, SL_STR("prefer")))
            continue;
        while (!sl_str_empty(list)) {
            struct sl_str preference = sl_str_cut(&list, ',');
            struct sl_str value = sl_str_cut(&preference, ';');
            struct sl_str name = sl_str_trim(sl_str_cut(&value, '='));
            int64_t seconds = 0;
            if (!sl_str_equal_ignore_case(name, SL_STR("wait")))
                continue;
            if (!sl_str_to_int64(sl_str_trim(value), &seconds) || seconds <= 0)
                return 0;
            return seconds > REPLY_WAIT_S_MAX ? REPLY_WAIT_S_MAX : (int)seconds;
        }
    }
    return 0;
}
