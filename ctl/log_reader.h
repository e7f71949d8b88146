/* log_reader.h - the events topic from its beginning to where it is decided, message by message in the order of the
 * decisions, each with what Postgres says of it.
 *
 * A partition's order is that of its offsets; partitions are merged by events.decided_no, which says what was decided
 * before what where users share something. At most a chunk of messages of each partition is in memory. One thread.
 */
#ifndef CTL_LOG_READER_H
#define CTL_LOG_READER_H

#include "common/pg.h"
#include "common/seal.h"
#include "worker/apply/item.h"

#define LOG_READER_BATCH 4096 /* decided_no by it: the transaction */

/* The decision made of a message at its position. Texts are good until the next log_reader_next. */
struct log_decision {
    struct sl_str outcome, error_code, rule, user_id;
    struct sl_str result, seen; /* JSON; may be empty */
    int64_t decided_at_ms;
    int64_t decided_no; /* 0: of a time before they were numbered */
    bool has_effects;
    int64_t effects;
    bool is_last; /* the row's own; false: an earlier one that it remembers */
};

struct log_partition {
    int32_t partition;
    int64_t low;  /* the first offset that the topic still has */
    int64_t end;  /* behind the last that was decided when the reader was opened */
    int64_t next; /* to be given */
};

struct log_reader;

/* Reads as far as sluice.offsets says that it was decided. `ring`: for the tokens of invitations, borrowed like `pg`.
 * RETRY when a server is away. */
SL_MUST_CHECK struct log_reader *log_reader_open(const struct sl_config *config, struct sl_pg *pg,
                                                 const struct sl_seal_ring *ring, struct sl_err *err);
void log_reader_close(struct log_reader *reader); /* accepts NULL */

/* The next message that was decided at its position; duplicates are passed over. *ret_item NULL: that was all. The item
 * is good until the next call. */
SL_MUST_CHECK bool log_reader_next(struct log_reader *reader, const struct item **ret_item,
                                   const struct log_decision **ret_decision, struct sl_err *err);

const struct log_partition *log_reader_partitions(const struct log_reader *reader, size_t *ret_count);
int64_t log_reader_passed(const struct log_reader *reader); /* messages passed over */

#endif
