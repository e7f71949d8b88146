/* positions.c - see positions.h. */
#include "worker/apply/positions.h"

static const char INSERT_MISSING[] =
    "INSERT INTO sluice.offsets (topic, partition, next_offset, published_offset, worker)"
    " SELECT $1, p.partition, p.low, p.low, $4 FROM unnest($2::int[], $3::bigint[]) AS p (partition, low)"
    " ORDER BY p.partition ON CONFLICT (topic, partition) DO NOTHING";
static const char SELECT_POSITIONS[] = "SELECT partition, next_offset, published_offset FROM sluice.offsets"
                                       " WHERE topic = $1 AND partition = ANY($2::int[]) ORDER BY partition FOR UPDATE";
static const char RAISE_TO_LOW[] = "UPDATE sluice.offsets o SET next_offset = greatest(o.next_offset, p.low),"
                                   " published_offset = greatest(o.published_offset, p.low), updated_at = now()"
                                   " FROM unnest($2::int[], $3::bigint[]) AS p (partition, low)"
                                   " WHERE o.topic = $1 AND o.partition = p.partition AND o.published_offset < p.low";
static const char MOVE[] = "SELECT sluice.move_offsets($1, $2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6)";

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static struct position *position_of(struct position *positions, size_t count, int64_t partition)
{
    for (size_t i = 0; i < count; i++) {
        if (positions[i].partition == partition)
            return &positions[i];
    }
    return NULL;
}

static void read_positions(const PGresult *result, struct position *positions, size_t count)
{
    for (int row = 0; row < PQntuples(result); row++) {
        struct position *position = position_of(positions, count, sl_pg_get_int(result, row, 0));
        SL_ASSERT(position);
        int64_t next = sl_pg_get_int(result, row, 1);
        position->next = larger(next, position->low);
        position->published = larger(sl_pg_get_int(result, row, 2), position->low);
        position->lost = position->next - next;
    }
}

bool positions_load(struct sl_pg *pg, struct sl_arena *arena, const char *topic, const char *worker_id,
                    struct position *positions, size_t count, struct sl_err *err)
{
    struct sl_pg_params inserting, reading, raising;
    struct sl_pg_array *numbers = sl_pg_array_create(arena, SL_PG_INT4);
    struct sl_pg_array *lows = sl_pg_array_create(arena, SL_PG_INT8);
    for (size_t i = 0; i < count; i++) {
        sl_pg_array_int(numbers, positions[i].partition);
        sl_pg_array_int(lows, positions[i].low);
    }
    sl_pg_params_init(&inserting, arena);
    sl_pg_text(&inserting, sl_str_of(topic));
    sl_pg_array(&inserting, numbers);
    raising = reading = inserting;
    sl_pg_array(&inserting, lows);
    sl_pg_text(&inserting, sl_str_of(worker_id));
    sl_pg_array(&raising, lows);

    PGresult *results[5] = {0};
    if (!sl_pg_queue(pg, SL_PG_BEGIN, NULL, err) || !sl_pg_queue(pg, INSERT_MISSING, &inserting, err) ||
        !sl_pg_queue(pg, SELECT_POSITIONS, &reading, err) || !sl_pg_queue(pg, RAISE_TO_LOW, &raising, err) ||
        !sl_pg_queue(pg, SL_PG_COMMIT, NULL, err) || !sl_pg_flush(pg, results, SL_ARRAY_LEN(results), err)) {
        sl_pg_rollback(pg);
        return false;
    }
    read_positions(results[2], positions, count);
    bool complete = (size_t)PQntuples(results[2]) == count;
    for (size_t i = 0; i < SL_ARRAY_LEN(results); i++)
        PQclear(results[i]);
    return complete || sl_err_set(err, SL_ERR_RETRY, "not all positions of %s could be read", topic);
}

bool positions_queue_move(struct sl_pg *pg, struct sl_arena *arena, const char *topic, const char *worker_id,
                          const struct position_move *moves, size_t count, struct sl_err *err)
{
    struct sl_pg_params params;
    struct sl_pg_array *numbers = sl_pg_array_create(arena, SL_PG_INT4);
    struct sl_pg_array *starts = sl_pg_array_create(arena, SL_PG_INT8);
    struct sl_pg_array *nexts = sl_pg_array_create(arena, SL_PG_INT8);
    struct sl_pg_array *published = sl_pg_array_create(arena, SL_PG_INT8);
    for (size_t i = 0; i < count; i++) {
        sl_pg_array_int(numbers, moves[i].partition);
        sl_pg_array_int(starts, moves[i].start);
        sl_pg_array_int(nexts, moves[i].next);
        sl_pg_array_int(published, moves[i].published);
    }
    sl_pg_params_init(&params, arena);
    sl_pg_text(&params, sl_str_of(topic));
    sl_pg_array(&params, numbers);
    sl_pg_array(&params, starts);
    sl_pg_array(&params, nexts);
    sl_pg_array(&params, published);
    sl_pg_text(&params, sl_str_of(worker_id));
    return sl_pg_queue(pg, MOVE, &params, err);
}
