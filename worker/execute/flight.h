/* flight.h - a job under way in this worker: what it is, where its recipe stands, under which fence.
 *
 * Owned by the engine's thread. All flights are made at start, so memory is bounded by jobs_in_flight. Invariants
 * (flight_check): a flight is in at most one list; it sleeps if and only if it is in the heap; it holds a slot of its
 * lane from before its intent until its call has ended.
 */
#ifndef EXECUTE_FLIGHT_H
#define EXECUTE_FLIGHT_H

#include "worker/execute/recipe.h"

enum flight_state {
    FLIGHT_FREE = 0,
    FLIGHT_READY,    /* enters its step in this round */
    FLIGHT_QUEUED,   /* waits for a slot of the step's cloud */
    FLIGHT_INTENT,   /* has a slot; its intent is to be committed */
    FLIGHT_CALLING,  /* its call is in the air */
    FLIGHT_SLEEPING, /* polls, or waits for a lock */
    FLIGHT_ENDING,   /* its last write is to be committed */
    FLIGHT_STATE_COUNT
};

/* How a flight ends: the last write about it. */
enum flight_end {
    FLIGHT_END_NONE = 0,
    FLIGHT_END_SUCCEEDED,
    FLIGHT_END_FAILED,
    FLIGHT_END_CANCELLED,
    FLIGHT_END_WAITING,     /* for callbacks */
    FLIGHT_END_RETRY,       /* back in the queue, an attempt has failed */
    FLIGHT_END_HANDED_BACK, /* back in the queue, no fault of the job */
    FLIGHT_END_COUNT
};

struct flight_list {
    struct flight *head, *tail;
    size_t count;
};

struct flight {
    struct recipe_job job;
    const struct recipe *recipe;
    const struct step *step;
    enum flight_state state;
    enum flight_end end;
    int64_t fence;
    int generation;
    int attempt; /* failed attempts of the step */
    int priority;
    int64_t deadline_at_ms;      /* Unix time; 0: none */
    bool overdue;                /* claimed because that has passed, by Postgres' clock */
    int64_t lease_until_mono_ms; /* not later than Postgres' lease_until */
    bool cancel_requested;
    bool lost;             /* the fence has moved on: nothing is written any more; freed when its call ends */
    bool intent_committed; /* of this very step, and not called since */
    bool to_write;         /* it is in the write set */
    bool has_slot;
    int call_count;     /* that have ended, under this fence */
    const char *method; /* of the last call; static */
    char path[256];     /* and its path */
    int64_t poll_ms;    /* the last interval */
    int64_t after_ms;   /* of the end: when it may be claimed again */
    char error[RECIPE_ERROR_BYTES];
    /* sleeping */
    int64_t wake_at_mono_ms;
    size_t heap_index;
    size_t write_index;
    /* the list it is in */
    struct flight_list *list;
    struct flight *next, *previous;
    struct engine *engine;
};

const char *flight_state_name(enum flight_state state);
const char *flight_end_name(enum flight_end end);

/* The one setter: asserts that the move is legal. */
void flight_move(struct flight *flight, enum flight_state to);
void flight_check(const struct flight *flight);

void flight_list_push(struct flight_list *list, struct flight *flight);
void flight_list_remove(struct flight *flight); /* from the list it is in, if any */
struct flight *flight_list_pop(struct flight_list *list);

/* The pool: all flights, and those that are free. */
struct flight_pool {
    struct flight *flights;
    size_t capacity;
    struct flight_list free;
};
void flight_pool_init(struct flight_pool *pool, size_t capacity, struct engine *engine);
void flight_pool_deinit(struct flight_pool *pool);
struct flight *flight_take(struct flight_pool *pool); /* zeroed and READY; NULL when all are taken */
void flight_free(struct flight_pool *pool, struct flight *flight);

/* Those about whom something is to be written: an intent, an end, or what was found on the way. */
struct write_set {
    struct flight **items;
    size_t count, capacity;
};
void write_set_init(struct write_set *set, size_t capacity);
void write_set_deinit(struct write_set *set);
void write_set_add(struct write_set *set, struct flight *flight); /* no effect when it is there already */
void write_set_remove(struct write_set *set, struct flight *flight);
/* How many of the first ones one transaction takes: `count_max`, or fewer where their catalogs hold more than
 * `bytes_max` together; one at least, if there is one. */
size_t write_set_first(const struct write_set *set, size_t count_max, int64_t bytes_max);

/* Those asleep, by the time at which they wake: a binary heap. */
struct sleepers {
    struct flight **heap;
    size_t count, capacity;
};
void sleepers_init(struct sleepers *sleepers, size_t capacity);
void sleepers_deinit(struct sleepers *sleepers);
void sleepers_add(struct sleepers *sleepers, struct flight *flight, int64_t wake_at_mono_ms); /* moves it to SLEEPING */
/* Wakes one before or at its time: it is READY then. */
void sleepers_wake(struct sleepers *sleepers, struct flight *flight);
/* The first whose time has come, or NULL. Still asleep. */
struct flight *sleepers_due(const struct sleepers *sleepers, int64_t now_mono_ms);
/* How long until the first wakes; -1: nobody sleeps. */
int64_t sleepers_wait_ms(const struct sleepers *sleepers, int64_t now_mono_ms);

#endif
