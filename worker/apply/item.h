/* item.h - one message of the log, decoded: the envelope, and the body as the rules' input. Pure but for the arena. */
#ifndef APPLY_ITEM_H
#define APPLY_ITEM_H

#include "common/kafka.h"
#include "common/seal.h"
#include "common/uuid.h"
#include "worker/decide/input.h"

#define ITEM_GENERATION_MAX 1000000

/* Lives longer than an attempt: in the batch's arena. */
struct item {
    const rd_kafka_message_t *message; /* borrowed from the batch */
    bool has_event;                    /* the envelope could be read */
    bool has_input;                    /* the body too */
    const char *unreadable;            /* why not, else NULL */
    struct sl_event event;
    struct input input; /* user_id still empty */
    uint8_t sha256[32];
    int generation;           /* of the replay; 0: the first time */
    struct sl_uuid letter_id; /* the dead letter that is replayed; nil: none, or the event's id says which */
};

/* The headers that a dead letter's replay carries beside those of its event: whose letter it is, and its last death. */
#define ITEM_HEADER_LETTER   "sluice-letter"
#define ITEM_HEADER_ATTEMPTS "dlq_previous_attempts"
#define ITEM_HEADER_FIRST_AT "dlq_previous_first_at"

/* Never fails: what can't be read says so. Strings are borrowed from the message or made in `arena`, which holds the
 * item. */
SL_MUST_CHECK struct item *item_decode(struct sl_arena *arena, const struct sl_seal_ring *ring,
                                       const rd_kafka_message_t *message);
/* The same of an envelope that was read before; `event` is copied, its strings are not. No message, no letter. */
SL_MUST_CHECK struct item *item_of_event(struct sl_arena *arena, const struct sl_seal_ring *ring,
                                         const struct sl_event *event);
/* The last header of that name; empty: there is none. Borrowed from the message. */
struct sl_str item_header(const struct item *item, const char *name);

#endif
