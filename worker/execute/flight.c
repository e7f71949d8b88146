/* flight.c - states of a flight, lists, the pool, and the heap of sleepers. */
#include "worker/execute/flight.h"

#include <stdlib.h>
/* from × to */
static const bool may_move[FLIGHT_STATE_COUNT][FLIGHT_STATE_COUNT] = {
    [FLIGHT_FREE] = {[FLIGHT_READY] = true},
    [FLIGHT_READY] = {[FLIGHT_QUEUED] = true, [FLIGHT_SLEEPING] = true, [FLIGHT_ENDING] = true, [FLIGHT_FREE] = true},
    [FLIGHT_QUEUED] = {[FLIGHT_INTENT] = true,
                       [FLIGHT_CALLING] = true,
                       [FLIGHT_READY] = true,
                       [FLIGHT_ENDING] = true,
                       [FLIGHT_FREE] = true},
    [FLIGHT_INTENT] = {[FLIGHT_CALLING] = true, [FLIGHT_READY] = true, [FLIGHT_ENDING] = true, [FLIGHT_FREE] = true},
    [FLIGHT_CALLING] = {[FLIGHT_READY] = true, [FLIGHT_SLEEPING] = true, [FLIGHT_ENDING] = true, [FLIGHT_FREE] = true},
    [FLIGHT_SLEEPING] = {[FLIGHT_READY] = true, [FLIGHT_FREE] = true},
    [FLIGHT_ENDING] = {[FLIGHT_FREE] = true},
};

const char *flight_state_name(enum flight_state state)
{
    static const char *const names[FLIGHT_STATE_COUNT] = {
        [FLIGHT_FREE] = "free",     [FLIGHT_READY] = "ready",     [FLIGHT_QUEUED] = "queued",
        [FLIGHT_INTENT] = "intent", [FLIGHT_CALLING] = "calling", [FLIGHT_SLEEPING] = "sleeping",
        [FLIGHT_ENDING] = "ending",
    };
    SL_ASSERT(state < FLIGHT_STATE_COUNT);
    return names[state];
}

const char *flight_end_name(enum flight_end end)
{
    static const char *const names[FLIGHT_END_COUNT] = {
        [FLIGHT_END_NONE] = "",
        [FLIGHT_END_SUCCEEDED] = "succeeded",
        [FLIGHT_END_FAILED] = "failed",
        [FLIGHT_END_CANCELLED] = "cancelled",
        [FLIGHT_END_WAITING] = "waiting",
        [FLIGHT_END_RETRY] = "retry",
        [FLIGHT_END_HANDED_BACK] = "handed_back",
    };
    SL_ASSERT(end < FLIGHT_END_COUNT);
    return names[end];
}

void flight_check(const struct flight *flight)
{
    SL_ASSERT(flight->state < FLIGHT_STATE_COUNT);
    SL_ASSERT((flight->state == FLIGHT_ENDING) == (flight->end != FLIGHT_END_NONE));
    if (flight->state == FLIGHT_INTENT || flight->state == FLIGHT_CALLING)
        SL_ASSERT(flight->has_slot);
    if (flight->state != FLIGHT_FREE)
        SL_ASSERT(flight->recipe && flight->step);
}

void flight_move(struct flight *flight, enum flight_state to)
{
    SL_ASSERT(to < FLIGHT_STATE_COUNT && may_move[flight->state][to]);
    flight->state = to;
}

void flight_list_push(struct flight_list *list, struct flight *flight)
{
    SL_ASSERT(!flight->list);
    flight->list = list;
    flight->previous = list->tail;
    flight->next = NULL;
    if (list->tail)
        list->tail->next = flight;
    else
        list->head = flight;
    list->tail = flight;
    list->count++;
}

void flight_list_remove(struct flight *flight)
{
    struct flight_list *list = flight->list;
    if (!list)
        return;
    if (flight->previous)
        flight->previous->next = flight->next;
    else
        list->head = flight->next;
    if (flight->next)
        flight->next->previous = flight->previous;
    else
        list->tail = flight->previous;
    list->count--;
    flight->list = NULL;
    flight->next = NULL;
    flight->previous = NULL;
}

struct flight *flight_list_pop(struct flight_list *list)
{
    struct flight *flight = list->head;
    if (flight)
        flight_list_remove(flight);
    return flight;
}

void flight_pool_init(struct flight_pool *pool, size_t capacity, struct engine *engine)
{
    *pool = (struct flight_pool){.flights = sl_calloc(capacity, sizeof(*pool->flights)), .capacity = capacity};
    for (size_t i = 0; i < capacity; i++) {
        pool->flights[i].engine = engine;
        flight_list_push(&pool->free, &pool->flights[i]);
    }
}

void flight_pool_deinit(struct flight_pool *pool)
{
    for (size_t i = 0; i < pool->capacity; i++)
        recipe_job_deinit(&pool->flights[i].job);
    free(pool->flights);
    *pool = (struct flight_pool){0};
}

struct flight *flight_take(struct flight_pool *pool)
{
    struct flight *flight = flight_list_pop(&pool->free);
    if (!flight)
        return NULL;
    *flight = (struct flight){.engine = flight->engine};
    flight_move(flight, FLIGHT_READY);
    return flight;
}

void flight_free(struct flight_pool *pool, struct flight *flight)
{
    SL_ASSERT(!flight->has_slot && !flight->to_write && flight->state != FLIGHT_SLEEPING);
    flight_list_remove(flight);
    recipe_job_deinit(&flight->job);
    flight->end = FLIGHT_END_NONE;
    flight_move(flight, FLIGHT_FREE);
    flight_list_push(&pool->free, flight);
}

void write_set_init(struct write_set *set, size_t capacity)
{
    *set = (struct write_set){.items = sl_calloc(capacity, sizeof(struct flight *)), .capacity = capacity};
}

void write_set_deinit(struct write_set *set)
{
    free(set->items);
    *set = (struct write_set){0};
}

void write_set_add(struct write_set *set, struct flight *flight)
{
    if (flight->to_write)
        return;
    SL_ASSERT(set->count < set->capacity);
    flight->to_write = true;
    flight->write_index = set->count;
    set->items[set->count++] = flight;
}

void write_set_remove(struct write_set *set, struct flight *flight)
{
    if (!flight->to_write)
        return;
    size_t index = flight->write_index;
    SL_ASSERT(index < set->count && set->items[index] == flight);
    set->items[index] = set->items[--set->count];
    set->items[index]->write_index = index;
    flight->to_write = false;
}

size_t write_set_first(const struct write_set *set, size_t count_max, int64_t bytes_max)
{
    size_t max = set->count < count_max ? set->count : count_max;
    size_t count = 0;
    int64_t bytes = 0;
    while (count < max) {
        bytes += set->items[count]->job.found.catalog_bytes;
        if (count > 0 && bytes > bytes_max)
            break;
        count++;
    }
    return count;
}

void sleepers_init(struct sleepers *sleepers, size_t capacity)
{
    *sleepers = (struct sleepers){.heap = sl_calloc(capacity, sizeof(struct flight *)), .capacity = capacity};
}

void sleepers_deinit(struct sleepers *sleepers)
{
    free(sleepers->heap);
    *sleepers = (struct sleepers){0};
}

static void put(struct sleepers *sleepers, size_t index, struct flight *flight)
{
    sleepers->heap[index] = flight;
    flight->heap_index = index;
}

static void sift_up(struct sleepers *sleepers, size_t index)
{
    struct flight *flight = sleepers->heap[index];
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (sleepers->heap[parent]->wake_at_mono_ms <= flight->wake_at_mono_ms)
            break;
        put(sleepers, index, sleepers->heap[parent]);
        index = parent;
    }
    put(sleepers, index, flight);
}

static void sift_down(struct sleepers *sleepers, size_t index)
{
    struct flight *flight = sleepers->heap[index];
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= sleepers->count)
            break;
        if (child + 1 < sleepers->count &&
            sleepers->heap[child + 1]->wake_at_mono_ms < sleepers->heap[child]->wake_at_mono_ms)
            child++;
        if (sleepers->heap[child]->wake_at_mono_ms >= flight->wake_at_mono_ms)
            break;
        put(sleepers, index, sleepers->heap[child]);
        index = child;
    }
    put(sleepers, index, flight);
}

void sleepers_add(struct sleepers *sleepers, struct flight *flight, int64_t wake_at_mono_ms)
{
    SL_ASSERT(sleepers->count < sleepers->capacity);
    flight_move(flight, FLIGHT_SLEEPING);
    flight->wake_at_mono_ms = wake_at_mono_ms;
    put(sleepers, sleepers->count++, flight);
    sift_up(sleepers, flight->heap_index);
}

void sleepers_wake(struct sleepers *sleepers, struct flight *flight)
{
    size_t index = flight->heap_index;
    SL_ASSERT(flight->state == FLIGHT_SLEEPING && index < sleepers->count && sleepers->heap[index] == flight);
    struct flight *last = sleepers->heap[--sleepers->count];
    if (last != flight) {
        put(sleepers, index, last);
        sift_up(sleepers, index);
        sift_down(sleepers, last->heap_index);
    }
    flight_move(flight, FLIGHT_READY);
}

struct flight *sleepers_due(const struct sleepers *sleepers, int64_t now_mono_ms)
{
    if (sleepers->count == 0 || sleepers->heap[0]->wake_at_mono_ms > now_mono_ms)
        return NULL;
    return sleepers->heap[0];
}

int64_t sleepers_wait_ms(const struct sleepers *sleepers, int64_t now_mono_ms)
{
    if (sleepers->count == 0)
        return -1;
    int64_t wait_ms = sleepers->heap[0]->wake_at_mono_ms - now_mono_ms;
    return wait_ms > 0 ? wait_ms : 0;
}
