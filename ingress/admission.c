/* admission.c - see admission.h. */
#include "ingress/admission.h"

#include <pthread.h>
#include <stdlib.h>

#include "ingress/bucket.h"

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define CELLS     8192

struct admission {
    pthread_mutex_t lock;
    struct admission_limits limits;
    bool draining;
    int64_t requests;
    int64_t bytes;
    uint64_t seed;
    int64_t held_bytes[CELLS]; /* by addresses; their sum is `bytes` */
    struct bucket_table *buckets[ADMISSION_KIND_COUNT];
};

struct admission *admission_create(const struct admission_limits *limits, uint64_t seed)
{
    struct admission *admission = sl_calloc(1, sizeof(*admission));
    SL_ASSERT(pthread_mutex_init(&admission->lock, NULL) == 0);
    admission->limits = *limits;
    admission->seed = seed;
    for (size_t i = 0; i < ADMISSION_KIND_COUNT; i++)
        admission->buckets[i] = bucket_table_create(seed + i);
    return admission;
}

void admission_destroy(struct admission *admission)
{
    if (!admission)
        return;
    SL_ASSERT(admission->requests == 0 && admission->bytes == 0);
    for (size_t i = 0; i < ADMISSION_KIND_COUNT; i++)
        bucket_table_destroy(admission->buckets[i]);
    (void)pthread_mutex_destroy(&admission->lock);
    free(admission);
}

static void lock(struct admission *admission)
{
    SL_ASSERT(pthread_mutex_lock(&admission->lock) == 0);
}

static void unlock(struct admission *admission)
{
    SL_ASSERT(admission->requests >= 0 && admission->bytes >= 0);
    SL_ASSERT(pthread_mutex_unlock(&admission->lock) == 0);
}

void admission_set_limits(struct admission *admission, const struct admission_limits *limits)
{
    lock(admission);
    admission->limits = *limits;
    unlock(admission);
}

void admission_drain(struct admission *admission)
{
    lock(admission);
    admission->draining = true;
    unlock(admission);
}

bool admission_is_draining(struct admission *admission)
{
    lock(admission);
    bool draining = admission->draining;
    unlock(admission);
    return draining;
}

void admission_enter(struct admission *admission)
{
    lock(admission);
    admission->requests++;
    unlock(admission);
}

static int64_t *held_by(struct admission *admission, struct address client)
{
    return &admission->held_bytes[address_hash(address_limit_key(client), admission->seed) % CELLS];
}

/* Under the lock. */
static bool has_room(struct admission *admission, struct address client, int64_t bytes)
{
    return bytes <= admission->limits.in_flight_bytes_max - admission->bytes &&
           bytes <= admission->limits.address_bytes_max - *held_by(admission, client);
}

void admission_leave(struct admission *admission, struct address client, int64_t reserved_bytes)
{
    lock(admission);
    admission->requests--;
    admission->bytes -= reserved_bytes;
    *held_by(admission, client) -= reserved_bytes;
    SL_ASSERT(*held_by(admission, client) >= 0);
    unlock(admission);
}

bool admission_has_room(struct admission *admission, struct address client, int64_t bytes)
{
    lock(admission);
    bool room = has_room(admission, client, bytes);
    unlock(admission);
    return room;
}

bool admission_reserve(struct admission *admission, struct address client, int64_t bytes)
{
    SL_ASSERT(bytes >= 0);
    lock(admission);
    bool room = has_room(admission, client, bytes);
    if (room) {
        admission->bytes += bytes;
        *held_by(admission, client) += bytes;
    }
    unlock(admission);
    return room;
}

int admission_wait_s(struct admission *admission, enum admission_kind kind, struct address client, int64_t now_us)
{
    int64_t wait_us = 0;
    lock(admission);
    int64_t count =
        kind == ADMISSION_ANY ? admission->limits.rate_per_address : admission->limits.early_access_per_minute;
    if (count > 0) {
        int64_t period_us = (kind == ADMISSION_ANY ? SECOND_US : MINUTE_US) / count;
        struct bucket_rate rate = {.period_us = period_us > 0 ? period_us : 1, .burst = count};
        wait_us = bucket_take_us(admission->buckets[kind], address_limit_key(client), rate, now_us);
    }
    unlock(admission);
    return (int)((wait_us + SECOND_US - 1) / SECOND_US);
}

int64_t admission_requests(struct admission *admission)
{
    lock(admission);
    int64_t requests = admission->requests;
    unlock(admission);
    return requests;
}

int64_t admission_bytes(struct admission *admission)
{
    lock(admission);
    int64_t bytes = admission->bytes;
    unlock(admission);
    return bytes;
}
