/* dlq_reader.h - the messages of dead letters, read from Kafka in the order of the log by one consumer of no group's.
 *
 * Where the events topic no longer has a message, its copy on the dead letters topic is looked for.
 */
#ifndef CTL_DLQ_READER_H
#define CTL_DLQ_READER_H

#include "ctl/dlq.h"

struct dlq_reader;

/* RETRY or PERMANENT. Destroy accepts NULL. */
SL_MUST_CHECK struct dlq_reader *dlq_reader_create(const struct sl_config *config, struct sl_err *err);
void dlq_reader_destroy(struct dlq_reader *reader);

/* Fetches the messages of letters[0..), which stand in the order of (partition, offset), until all are there or about
 * DLQ_BATCH_BYTES_MAX are: *ret_count letters are done then, at least one of `count`. One whose message is nowhere any
 * more has none. Messages are released by dlq_reader_release. RETRY when Kafka does not answer. */
SL_MUST_CHECK bool dlq_reader_fetch(struct dlq_reader *reader, struct dlq_letter *letters, size_t count,
                                    size_t *ret_count, struct sl_err *err);
void dlq_reader_release(struct dlq_letter *letters, size_t count);

#endif
