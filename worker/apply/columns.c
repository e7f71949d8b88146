/* columns.c - see columns.h. */
#include "worker/apply/columns.h"

static enum sl_pg_type type_of(char letter)
{
    static const struct {
        char letter;
        enum sl_pg_type type;
    } TYPES[] = {{'t', SL_PG_TEXT}, {'y', SL_PG_BYTEA}, {'i', SL_PG_INT8},  {'n', SL_PG_INT4},
                 {'b', SL_PG_BOOL}, {'u', SL_PG_UUID},  {'j', SL_PG_JSONB}, {'w', SL_PG_TIMESTAMPTZ}};
    for (size_t i = 0; i < SL_ARRAY_LEN(TYPES); i++) {
        if (TYPES[i].letter == letter)
            return TYPES[i].type;
    }
    sl_assert_failed("a column's letter is one of columns.h", __FILE__, __LINE__);
}

void columns_init(struct columns *columns, struct sl_arena *arena, const char *types)
{
    *columns = (struct columns){.arena = arena};
    for (; *types; types++) {
        SL_ASSERT(columns->count < COLUMNS_MAX);
        columns->arrays[columns->count++] = sl_pg_array_create(arena, type_of(*types));
    }
}

static struct sl_pg_array *next(struct columns *columns)
{
    struct sl_pg_array *array = columns->arrays[columns->next++];
    if (columns->next == columns->count) {
        columns->next = 0;
        columns->rows++;
    }
    return array;
}

void columns_text(struct columns *columns, struct sl_str value)
{
    sl_pg_array_text(next(columns), value);
}

void columns_text_or_null(struct columns *columns, struct sl_str value)
{
    sl_pg_array_text_or_null(next(columns), value);
}

void columns_int(struct columns *columns, int64_t value)
{
    sl_pg_array_int(next(columns), value);
}

void columns_bool(struct columns *columns, bool value)
{
    sl_pg_array_bool(next(columns), value);
}

void columns_uuid(struct columns *columns, struct sl_uuid value)
{
    sl_pg_array_uuid(next(columns), value);
}

void columns_uuid_or_null(struct columns *columns, struct sl_uuid value)
{
    sl_pg_array_uuid_or_null(next(columns), value);
}

void columns_at_ms(struct columns *columns, int64_t at_ms)
{
    sl_pg_array_at_ms_or_null(next(columns), at_ms);
}

void columns_at_s(struct columns *columns, int64_t at_s)
{
    columns_at_ms(columns, at_s * 1000);
}

static void params_of(const struct columns *columns, struct sl_pg_params *params)
{
    SL_ASSERT(columns->next == 0);
    sl_pg_params_init(params, columns->arena);
    for (size_t i = 0; i < columns->count; i++)
        sl_pg_array(params, columns->arrays[i]);
}

int columns_queue(const struct columns *columns, const char *sql, struct pipeline *pipeline)
{
    struct sl_pg_params params;
    if (!columns->rows)
        return -1;
    params_of(columns, &params);
    return pipeline_add(pipeline, sql, &params);
}

int columns_queue_at(const struct columns *columns, const char *sql, int64_t at_ms, struct pipeline *pipeline)
{
    struct sl_pg_params params;
    if (!columns->rows)
        return -1;
    params_of(columns, &params);
    sl_pg_at_ms(&params, at_ms);
    return pipeline_add(pipeline, sql, &params);
}
