/* mailbox.c - a ring of pointers under a lock that is held for a few instructions.
 *
 * Invariants: 1. count <= capacity; 2. the items are ring[first .. first + count), modulo capacity, oldest first.
 */
#include "common/mailbox.h"

#include <pthread.h>
#include <stdlib.h>

struct sl_mailbox {
    pthread_mutex_t lock;
    size_t capacity;
    size_t first;
    size_t count;
    void (*wake)(void *arg);
    void *wake_arg;
    void *ring[];
};

struct sl_mailbox *sl_mailbox_create(size_t capacity, void (*wake)(void *arg), void *wake_arg)
{
    SL_ASSERT(capacity > 0 && capacity < SIZE_MAX / sizeof(void *) / 2);
    struct sl_mailbox *mailbox = sl_calloc(1, sizeof(*mailbox) + capacity * sizeof(mailbox->ring[0]));
    SL_ASSERT(pthread_mutex_init(&mailbox->lock, NULL) == 0);
    mailbox->capacity = capacity;
    mailbox->wake = wake;
    mailbox->wake_arg = wake_arg;
    return mailbox;
}

void sl_mailbox_destroy(struct sl_mailbox *mailbox)
{
    if (mailbox != NULL) {
        SL_ASSERT(mailbox->count == 0); /* whoever left something in it has lost it */
        SL_ASSERT(pthread_mutex_destroy(&mailbox->lock) == 0);
        free(mailbox);
    }
}

bool sl_mailbox_send(struct sl_mailbox *mailbox, void *item)
{
    SL_ASSERT(item != NULL);
    SL_ASSERT(pthread_mutex_lock(&mailbox->lock) == 0);
    SL_ASSERT(mailbox->count <= mailbox->capacity);
    const bool fits = mailbox->count < mailbox->capacity;
    const bool was_empty = mailbox->count == 0;
    if (fits) {
        mailbox->ring[(mailbox->first + mailbox->count) % mailbox->capacity] = item;
        mailbox->count++;
    }
    SL_ASSERT(pthread_mutex_unlock(&mailbox->lock) == 0);
    /* Without the lock: the receiver may run at once, and wants it. */
    if (fits && was_empty && mailbox->wake != NULL) {
        mailbox->wake(mailbox->wake_arg);
    }
    return fits;
}

void *sl_mailbox_receive(struct sl_mailbox *mailbox)
{
    void *item = NULL;
    SL_ASSERT(pthread_mutex_lock(&mailbox->lock) == 0);
    if (mailbox->count > 0) {
        item = mailbox->ring[mailbox->first];
        mailbox->ring[mailbox->first] = NULL;
        mailbox->first = (mailbox->first + 1) % mailbox->capacity;
        mailbox->count--;
    }
    SL_ASSERT(pthread_mutex_unlock(&mailbox->lock) == 0);
    return item;
}

size_t sl_mailbox_depth(struct sl_mailbox *mailbox)
{
    SL_ASSERT(pthread_mutex_lock(&mailbox->lock) == 0);
    const size_t count = mailbox->count;
    SL_ASSERT(pthread_mutex_unlock(&mailbox->lock) == 0);
    return count;
}
