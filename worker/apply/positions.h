/* positions.h - the positions of partitions in Postgres: the truth about what is decided (sluice.offsets). */
#ifndef APPLY_POSITIONS_H
#define APPLY_POSITIONS_H

#include "common/pg.h"
#include "worker/apply/partitions.h"

/* One partition: in: its number and what Kafka has of it; out: where to go on. */
struct position {
    int32_t partition;
    int64_t low, high; /* Kafka's watermarks */
    int64_t next, published;
    int64_t lost; /* events that retention deleted before they were decided; normally 0 */
};

/* Reads the positions; a partition without one begins at its low watermark. One below it is moved there, and `lost`
 * says by how much. All or nothing, one round trip. Strings and arrays go to `arena`. */
SL_MUST_CHECK bool positions_load(struct sl_pg *pg, struct sl_arena *arena, const char *topic, const char *worker_id,
                                  struct position *positions, size_t count, struct sl_err *err);

/* Queues the move of the batch's positions into the transaction under way: from `starts` to `nexts`, `published` at
 * least. One result. The flush fails with code POSITIONS_FENCED when one of them stands elsewhere by now. */
#define POSITIONS_FENCED "SL001"
struct position_move {
    int32_t partition;
    int64_t start, next, published;
};
SL_MUST_CHECK bool positions_queue_move(struct sl_pg *pg, struct sl_arena *arena, const char *topic,
                                        const char *worker_id, const struct position_move *moves, size_t count,
                                        struct sl_err *err);

#endif
