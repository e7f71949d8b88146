/* attempt.h - one try at deciding some events in one transaction, and all that is known while it lasts.
 *
 * The story is in attempt.c; its chapters are resolve.c (whose event), facts_load.c (what is known), plan_commit.c
 * (what is written) and announce.c (what is told). Everything lives in the attempt's arena and goes with it.
 */
#ifndef APPLY_ATTEMPT_H
#define APPLY_ATTEMPT_H

#include "worker/apply/item.h"
#include "worker/apply/owners.h"
#include "worker/apply/shell.h"
#include "worker/decide/rulebook.h"

/* What stands in sluice.events of an event id. */
struct known {
    enum outcome outcome;
    int generation;
    struct sl_str error_code, user_id, rule, result, topic;
    int32_t partition;
    int64_t offset;
};

/* A user of the batch: the facts, and what holds the user's events up. */
struct account {
    struct facts facts;
    bool has_open_letter;     /* of stage decide or commit */
    struct sl_str (*held)[2]; /* id and source of the events held, oldest first */
    size_t held_count, held_next;
    bool holds_now; /* an event was held in this batch: whatever comes behind it is, too */
};

enum decision_kind {
    DECISION_NONE = 0,
    DECISION_MADE,       /* a rule decided: `plan` */
    DECISION_DUPLICATE,  /* of `known` or of `first`: nothing is written */
    DECISION_HELD,       /* behind a dead letter */
    DECISION_UNREADABLE, /* a dead letter of stage decode */
    DECISION_KIND_COUNT
};

struct decision {
    enum decision_kind kind;
    struct item *item;
    struct input *input;          /* the item's, with the user resolved */
    struct account *account;      /* NULL: nobody's */
    const struct known *known;    /* NULL: a new id */
    const struct decision *first; /* the decision of the same id earlier in the batch */
    struct plan *plan;
    enum outcome outcome;
    struct sl_str seen_json;    /* events.seen */
    int64_t effects;            /* events.effects, of a plan */
    struct sl_str result_json;  /* events.result */
    struct sl_str outcome_json; /* for the outcomes topic and for who waits; empty: told to nobody now */
    bool answered;              /* after the commit: the command that the plan answers was waiting for it */
};

/* A customer that became a user's in this batch. */
struct link {
    struct sl_str customer_id, user_id;
};

struct attempt {
    struct shell *shell;
    struct sl_arena *arena;
    struct item *const *items;
    size_t count;
    int64_t now_ms;
    bool only_looks; /* what is decided is never written: no row is locked or made */
    struct owners customers, subscriptions, jobs, users;
    struct sl_str *unlinked; /* customers without a user, whose rows are locked */
    size_t unlinked_count;
    struct commons commons;
    struct account *accounts;    /* in the order of `users` */
    const struct known **knowns; /* by item */
    struct decision *decisions;
    size_t decided;  /* <= count: a batch may be cut short, when memory runs low say */
    size_t to_stage; /* messages that the decided events put into the outbox, at most */
    struct link *links;
    size_t link_count;
    PGresult *released; /* outbox rows of parked events, by links */
};

enum attempt_end {
    ATTEMPT_DONE = 1,  /* committed: `decided` events */
    ATTEMPT_AGAIN,     /* the world moved while we looked: at once again */
    ATTEMPT_RETRY,     /* transient, or not this event's fault: later again */
    ATTEMPT_FENCED,    /* positions have moved: read them anew */
    ATTEMPT_PERMANENT, /* these events break the transaction each time */
};

/* Decides a prefix of `items` and commits; on ATTEMPT_DONE outcomes and outbox are on their way and *ret_done > 0
 * events are done. `arena` is reset. */
SL_MUST_CHECK enum attempt_end attempt_run(struct shell *shell, struct sl_arena *arena, struct item *const *items,
                                           size_t count, int64_t now_ms, size_t *ret_done, struct sl_err *err);

/* The first half of attempt_run, over an attempt whose shell, arena, items, count, now_ms and only_looks are set: opens
 * the transaction, loads, and decides a prefix, `decided`. The caller ends the transaction. *ret_moved: nothing was
 * decided, see facts_load. */
SL_MUST_CHECK bool attempt_decide(struct attempt *attempt, bool *ret_moved, struct sl_err *err);

/* The message of the events row of an event that was buried so. */
#define ATTEMPT_BURIED "the event can't be committed: see its dead letter"

/* The one event that breaks its transaction, for the reason `why`: dead letter, events row, position, in a transaction
 * of their own. */
SL_MUST_CHECK enum attempt_end attempt_bury(struct shell *shell, struct sl_arena *arena, struct item *item,
                                            int64_t now_ms, const struct sl_err *why, struct sl_err *err);

/* What a failed transaction means. Pure. */
enum attempt_end attempt_end_of(const struct sl_err *err);

#endif
