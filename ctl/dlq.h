/* dlq.h - dead letters as sluicectl's dlq sees them: chosen by a filter, read page by page in the order of the log.
 *
 * A page is bounded by count, its messages by bytes, so that any number of letters passes through the same memory.
 */
#ifndef CTL_DLQ_H
#define CTL_DLQ_H

#include "common/arena.h"
#include "common/kafka.h"
#include "common/uuid.h"
#include "ctl/ctl.h"

#define DLQ_PAGE_MAX          500
#define DLQ_BATCH_BYTES_MAX   ((size_t)16 * 1024 * 1024)
#define DLQ_FILTER_PARAMS     9
#define DLQ_FILTER_TEXT_BYTES 26

/* Parameters $1 to $9 of DLQ_FILTER, as text. Strings are borrowed from the options; a value on the stack. */
struct dlq_filter {
    const char *values[DLQ_FILTER_PARAMS];
    bool is_narrow; /* something was asked for beside the status */
    char since[DLQ_FILTER_TEXT_BYTES], until[DLQ_FILTER_TEXT_BYTES];
};

/* "l" is the letter's row. A cause may be that of all of them: it is not to be looked up in an index, which would have
 * to be sorted for each page. $1 status, $2 source, $3 type (takes *), $4 cause, $5 user, $6 stage, $7 since, $8 until
 * (of the last death), $9 the id of the letter or of its event. */
#define DLQ_FILTER                                                                                                     \
    " ($1::text IS NULL OR l.status = $1) AND ($2::text IS NULL OR l.source = $2)"                                     \
    " AND ($3::text IS NULL OR l.type LIKE replace($3, '*', '%')) AND ($4::text IS NULL OR l.cause IS NOT DISTINCT "   \
    "FROM $4)"                                                                                                         \
    " AND ($5::text IS NULL OR l.user_id = $5) AND ($6::text IS NULL OR l.stage = $6)"                                 \
    " AND ($7::text IS NULL OR l.last_at >= $7::timestamptz) AND ($8::text IS NULL OR l.last_at < $8::timestamptz)"    \
    " AND ($9::text IS NULL OR l.id::text = lower($9) OR l.event_id = $9)"

/* `status` where --status was not given or is not taken; NULL: any. Points into *ret_filter. PERMANENT on a time that
 * is none. */
SL_MUST_CHECK bool dlq_filter_make(const struct options *options, const char *status, int64_t now_ms,
                                   struct dlq_filter *ret_filter, struct sl_err *err);
/* For verbs that change things: an ID, a filter or --all. PERMANENT with a hint. */
SL_MUST_CHECK bool dlq_filter_is_meant(const struct options *options, const struct dlq_filter *filter,
                                       struct sl_err *err);
/* For when the filter has found nothing: whether it was an ID, which then is said, on stderr. */
bool dlq_filter_names_nothing(const struct dlq_filter *filter);

enum dlq_state {
    DLQ_WAITS = 1, /* for somebody to replay or discard it */
    DLQ_UNDER_WAY, /* a replay of it is published and not decided yet */
    DLQ_OVER,      /* its event was decided meanwhile */
    DLQ_JOB_GONE   /* of a job that is not in the books any more */
};

struct dlq_letter {
    struct sl_uuid id;
    char id_text[SL_UUID_TEXT_BYTES];
    struct sl_str event_id, source, type, user_id, stage, cause, error, topic, job_user_id; /* may be empty */
    struct sl_uuid job_id;                                                                  /* nil: no job's */
    int32_t partition;
    int64_t offset, seq, attempts, replays, first_at_ms, last_at_ms;
    int generation; /* that its next replay has */
    enum dlq_state state;
    bool wants_message;                /* of dlq_reader_fetch; a job's letter is retried by command */
    rd_kafka_message_t *message;       /* from there; NULL: not wanted, or gone */
    bool is_copy;                      /* the message is the dead letters topic's */
    char retry_id[SL_UUID_TEXT_BYTES]; /* of a job: the command's event id, the same until it is marked as replayed */
};

/* A letter of a job is retried by command, its message is not needed. */
bool dlq_letter_is_job(const struct dlq_letter *letter);

/* Where the next page begins. */
struct dlq_cursor {
    int64_t seq_max; /* those that died after the start are not for this run */
    int64_t total;   /* open letters that match, as counted at the start */
    int32_t partition;
    int64_t offset;
    struct sl_uuid id;
};
SL_MUST_CHECK bool dlq_cursor_start(struct ctl *ctl, const struct dlq_filter *filter, struct dlq_cursor *ret_cursor,
                                    struct sl_err *err);
/* The next letters in the order (partition, offset), at most `count_max`; none: the end. Strings are made in `arena`.
 */
SL_MUST_CHECK bool dlq_cursor_next(struct ctl *ctl, const struct dlq_filter *filter, struct dlq_cursor *cursor,
                                   size_t count_max, struct sl_arena *arena, struct dlq_letter *ret_letters,
                                   size_t *ret_count, struct sl_err *err);
/* One letter by its id or its event's, whatever its status, the newest; NULL in *ret_letter: there is none. */
SL_MUST_CHECK bool dlq_letter_find(struct ctl *ctl, const char *id, struct sl_arena *arena,
                                   struct dlq_letter **ret_letter, struct sl_err *err);

#endif
