/* columns.h - the parameters of a set-based statement: one array a column, filled row by row. */
#ifndef APPLY_COLUMNS_H
#define APPLY_COLUMNS_H

#include "worker/apply/pipeline.h"

#define COLUMNS_MAX 32

/* In the order of the statement's parameters. A value on the stack; what it points to is the arena's. */
struct columns {
    struct sl_arena *arena;
    struct sl_pg_array *arrays[COLUMNS_MAX];
    size_t count;
    size_t next; /* the row under way: which column comes */
    size_t rows;
};

/* `types`: a letter a column: t text, y bytea, i int8, n int4, b bool, u uuid, j jsonb, w timestamptz. */
void columns_init(struct columns *columns, struct sl_arena *arena, const char *types);

/* The next value of the row under way. */
void columns_text(struct columns *columns, struct sl_str value); /* also bytea and jsonb */
void columns_text_or_null(struct columns *columns, struct sl_str value);
void columns_int(struct columns *columns, int64_t value); /* int8, int4 */
void columns_bool(struct columns *columns, bool value);
void columns_uuid(struct columns *columns, struct sl_uuid value);
void columns_uuid_or_null(struct columns *columns, struct sl_uuid value);
void columns_at_ms(struct columns *columns, int64_t at_ms); /* 0 is NULL */
void columns_at_s(struct columns *columns, int64_t at_s);

/* Queues the statement, or nothing when there is no row. Gives its index, or -1. */
int columns_queue(const struct columns *columns, const char *sql, struct pipeline *pipeline);
/* The same with one more parameter, a time. */
int columns_queue_at(const struct columns *columns, const char *sql, int64_t at_ms, struct pipeline *pipeline);

#endif
