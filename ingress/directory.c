/* directory.c - see directory.h. A hash table with chains; an entry is one allocation that holds both strings. */
#include "ingress/directory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "ingress/key.h"

#define CHAIN_MEAN 2

struct directory_entry {
    struct directory_entry *next;
    size_t customer_len;
    size_t user_len;
    char bytes[]; /* the customer, then the user */
};

struct directory {
    pthread_mutex_t lock;
    size_t count;
    size_t entries_max;
    size_t chain_count;
    struct directory_entry **chains;
};

struct directory *directory_create(size_t entries_max)
{
    SL_ASSERT(entries_max > 0 && entries_max <= DIRECTORY_ENTRIES_MAX);
    struct directory *directory = sl_calloc(1, sizeof(*directory));
    SL_ASSERT(pthread_mutex_init(&directory->lock, NULL) == 0);
    directory->entries_max = entries_max;
    directory->chain_count = entries_max / CHAIN_MEAN + 1;
    directory->chains = sl_calloc(directory->chain_count, sizeof(struct directory_entry *));
    return directory;
}

void directory_destroy(struct directory *directory)
{
    if (!directory)
        return;
    for (size_t i = 0; i < directory->chain_count; i++) {
        struct directory_entry *next = NULL;
        for (struct directory_entry *entry = directory->chains[i]; entry; entry = next) {
            next = entry->next;
            free(entry);
        }
    }
    free(directory->chains);
    (void)pthread_mutex_destroy(&directory->lock);
    free(directory);
}

/* FNV-1a: customers' ids are Stripe's, not an attacker's to choose. Gives the link that points to the entry, or to
 * NULL. */
static struct directory_entry **find(struct directory *directory, struct sl_str customer)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < customer.len; i++)
        hash = (hash ^ (unsigned char)customer.ptr[i]) * UINT64_C(0x100000001b3);
    struct directory_entry **link = &directory->chains[hash % directory->chain_count];
    while (*link && !((*link)->customer_len == customer.len && memcmp((*link)->bytes, customer.ptr, customer.len) == 0))
        link = &(*link)->next;
    return link;
}

static void take_out(struct directory *directory, struct directory_entry **link)
{
    struct directory_entry *entry = *link;
    if (!entry)
        return;
    *link = entry->next;
    free(entry);
    directory->count--;
}

static bool put_in(struct directory *directory, struct sl_str customer, struct sl_str user)
{
    take_out(directory, find(directory, customer));
    if (directory->count == directory->entries_max)
        return false;
    struct directory_entry **end = find(directory, customer);
    struct directory_entry *entry = sl_malloc(sizeof(*entry) + customer.len + user.len);
    entry->next = NULL;
    entry->customer_len = customer.len;
    entry->user_len = user.len;
    memcpy(entry->bytes, customer.ptr, customer.len);
    memcpy(entry->bytes + customer.len, user.ptr, user.len);
    *end = entry;
    directory->count++;
    return true;
}

bool directory_set(struct directory *directory, struct sl_str customer, struct sl_str user)
{
    if (!key_is_usable(customer) || (!sl_str_empty(user) && !key_is_usable(user)))
        return false;
    bool ok = true;
    SL_ASSERT(pthread_mutex_lock(&directory->lock) == 0);
    if (sl_str_empty(user))
        take_out(directory, find(directory, customer));
    else
        ok = put_in(directory, customer, user);
    SL_ASSERT(pthread_mutex_unlock(&directory->lock) == 0);
    return ok;
}

struct sl_str directory_get(void *directory_arg, struct sl_str customer, struct sl_arena *arena)
{
    struct directory *directory = directory_arg;
    struct sl_str user = SL_STR_NONE;
    SL_ASSERT(pthread_mutex_lock(&directory->lock) == 0);
    const struct directory_entry *entry = *find(directory, customer);
    if (entry)
        user = sl_arena_str(arena, (struct sl_str){.ptr = entry->bytes + entry->customer_len, .len = entry->user_len});
    SL_ASSERT(pthread_mutex_unlock(&directory->lock) == 0);
    return user;
}

size_t directory_count(struct directory *directory)
{
    SL_ASSERT(pthread_mutex_lock(&directory->lock) == 0);
    size_t count = directory->count;
    SL_ASSERT(pthread_mutex_unlock(&directory->lock) == 0);
    return count;
}
