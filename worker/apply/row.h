/* row.h - a row of a binary result, read column by column in the order of its statement. Private to the readers of
 * apply/. */
#ifndef APPLY_ROW_H
#define APPLY_ROW_H

#include "common/pg.h"

struct row {
    const PGresult *result;
    int row;
    int next;
    struct sl_arena *arena; /* texts are copied into it */
};

static inline struct sl_str row_text(struct row *at)
{
    struct sl_str value = sl_pg_get_text(at->result, at->row, at->next++);
    return sl_str_empty(value) ? SL_STR_NONE : sl_arena_str(at->arena, value);
}

static inline int64_t row_int(struct row *at)
{
    return sl_pg_get_int(at->result, at->row, at->next++);
}

static inline bool row_bool(struct row *at)
{
    return sl_pg_get_bool(at->result, at->row, at->next++);
}

static inline struct sl_uuid row_uuid(struct row *at)
{
    return sl_pg_get_uuid(at->result, at->row, at->next++);
}

static inline int64_t row_at_ms(struct row *at)
{
    return sl_pg_get_at_ms(at->result, at->row, at->next++);
}

static inline int64_t row_at_s(struct row *at)
{
    return row_at_ms(at) / 1000;
}

#endif
