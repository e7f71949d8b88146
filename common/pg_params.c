/* pg_params.c - parameters and arrays in Postgres' binary format.
 *
 * Every value is copied into the arena, so that the caller's memory may go before the statement is sent. Layouts are
 * those of the types' receive functions in PostgreSQL's src/backend/utils/adt (array_recv in arrayfuncs.c,
 * timestamptz_recv in timestamp.c, jsonb_recv in jsonb.c); all numbers are big-endian. Pure: no I/O, no global state.
 */
#include <limits.h>
#include <string.h>

#include "common/pg_internal.h"

#define ARRAY_CAP_FIRST    256
#define ARRAY_HEADER_BYTES 20 /* dimensions, has-null flag, element type, length, lower bound */
#define ARRAY_EMPTY_BYTES  12 /* the first three of them */
#define ARRAY_NULL_LENGTH  (-1)

struct sl_pg_array {
    struct sl_arena *arena;
    enum sl_pg_type type;
    uint8_t *data; /* header, then elements: length and bytes */
    size_t len;
    size_t cap;
    size_t count;
    bool has_null;
};

static const struct {
    Oid element;
    Oid array;
} TYPES[] = {
    [SL_PG_TEXT] = {SL_PG_OID_TEXT, 1009},   [SL_PG_INT8] = {SL_PG_OID_INT8, 1016},
    [SL_PG_INT4] = {SL_PG_OID_INT4, 1007},   [SL_PG_BOOL] = {SL_PG_OID_BOOL, 1000},
    [SL_PG_UUID] = {SL_PG_OID_UUID, 2951},   [SL_PG_BYTEA] = {SL_PG_OID_BYTEA, 1001},
    [SL_PG_JSONB] = {SL_PG_OID_JSONB, 3807}, [SL_PG_TIMESTAMPTZ] = {SL_PG_OID_TIMESTAMPTZ, 1185},
};

static void put_be32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

static void put_be64(uint8_t *at, uint64_t value)
{
    put_be32(at, (uint32_t)(value >> 32));
    put_be32(at + 4, (uint32_t)value);
}

static int64_t timestamptz_of(int64_t at_ms)
{
    if (at_ms < SL_PG_AT_MS_MIN) {
        at_ms = SL_PG_AT_MS_MIN;
    }
    if (at_ms > SL_PG_AT_MS_MAX) {
        at_ms = SL_PG_AT_MS_MAX;
    }
    return (at_ms - SL_PG_EPOCH_MS) * 1000;
}

void sl_pg_params_init(struct sl_pg_params *params, struct sl_arena *arena)
{
    params->arena = arena;
    params->count = 0;
}

/* `value` NULL is SQL's NULL. */
static void add(struct sl_pg_params *params, Oid type, const uint8_t *value, size_t len)
{
    SL_ASSERT(params->count < SL_PG_PARAMS_MAX);
    SL_ASSERT(len <= INT_MAX);
    params->types[params->count] = type;
    params->values[params->count] = (const char *)value;
    params->lengths[params->count] = (int)len;
    params->formats[params->count] = 1;
    params->count++;
}

/* Room for `len` bytes of a value; never NULL, because NULL would be SQL's. */
static uint8_t *room(struct sl_pg_params *params, size_t len)
{
    return sl_arena_alloc(params->arena, 1, len > 0 ? len : 1);
}

static void add_bytes(struct sl_pg_params *params, Oid type, struct sl_str value)
{
    const size_t version_bytes = type == SL_PG_OID_JSONB ? 1 : 0;
    uint8_t *copy = room(params, version_bytes + value.len);
    copy[0] = SL_PG_JSONB_VERSION;
    if (value.len > 0) {
        memcpy(copy + version_bytes, value.ptr, value.len);
    }
    add(params, type, copy, version_bytes + value.len);
}

void sl_pg_text(struct sl_pg_params *params, struct sl_str value)
{
    add_bytes(params, SL_PG_OID_TEXT, value);
}

void sl_pg_text_or_null(struct sl_pg_params *params, struct sl_str value)
{
    if (sl_str_empty(value)) {
        add(params, SL_PG_OID_TEXT, NULL, 0);
    } else {
        add_bytes(params, SL_PG_OID_TEXT, value);
    }
}

void sl_pg_bytea(struct sl_pg_params *params, struct sl_str value)
{
    add_bytes(params, SL_PG_OID_BYTEA, value);
}

void sl_pg_jsonb(struct sl_pg_params *params, struct sl_str value)
{
    if (sl_str_empty(value)) {
        add(params, SL_PG_OID_JSONB, NULL, 0);
    } else {
        add_bytes(params, SL_PG_OID_JSONB, value);
    }
}

void sl_pg_int8(struct sl_pg_params *params, int64_t value)
{
    uint8_t *bytes = room(params, 8);
    put_be64(bytes, (uint64_t)value);
    add(params, SL_PG_OID_INT8, bytes, 8);
}

void sl_pg_int4(struct sl_pg_params *params, int32_t value)
{
    uint8_t *bytes = room(params, 4);
    put_be32(bytes, (uint32_t)value);
    add(params, SL_PG_OID_INT4, bytes, 4);
}

void sl_pg_bool(struct sl_pg_params *params, bool value)
{
    uint8_t *bytes = room(params, 1);
    bytes[0] = value ? 1 : 0;
    add(params, SL_PG_OID_BOOL, bytes, 1);
}

void sl_pg_uuid(struct sl_pg_params *params, struct sl_uuid value)
{
    uint8_t *bytes = room(params, sizeof(value.bytes));
    memcpy(bytes, value.bytes, sizeof(value.bytes));
    add(params, SL_PG_OID_UUID, bytes, sizeof(value.bytes));
}

void sl_pg_at_ms(struct sl_pg_params *params, int64_t at_ms)
{
    if (at_ms == 0) {
        add(params, SL_PG_OID_TIMESTAMPTZ, NULL, 0);
        return;
    }
    uint8_t *bytes = room(params, 8);
    put_be64(bytes, (uint64_t)timestamptz_of(at_ms));
    add(params, SL_PG_OID_TIMESTAMPTZ, bytes, 8);
}

void sl_pg_null(struct sl_pg_params *params)
{
    add(params, 0, NULL, 0);
}

struct sl_pg_array *sl_pg_array_create(struct sl_arena *arena, enum sl_pg_type type)
{
    SL_ASSERT((size_t)type < SL_ARRAY_LEN(TYPES) && TYPES[type].element != 0);
    struct sl_pg_array *array = sl_arena_alloc(arena, 1, sizeof(*array));
    array->arena = arena;
    array->type = type;
    array->cap = ARRAY_CAP_FIRST;
    array->data = sl_arena_alloc(arena, 1, array->cap);
    array->len = ARRAY_HEADER_BYTES;
    return array;
}

/* Room for one more element of `len` bytes, its length written. What is outgrown stays in the arena until that is
 * reset. */
static uint8_t *element(struct sl_pg_array *array, size_t len)
{
    SL_ASSERT(len < INT_MAX && array->len < (size_t)INT_MAX - 4 - len);
    const size_t needed = array->len + 4 + len;
    if (needed > array->cap) {
        const size_t cap = needed > array->cap * 2 ? needed : array->cap * 2;
        uint8_t *data = sl_arena_alloc(array->arena, 1, cap);
        memcpy(data, array->data, array->len);
        array->data = data;
        array->cap = cap;
    }
    put_be32(array->data + array->len, (uint32_t)len);
    uint8_t *at = array->data + array->len + 4;
    array->len = needed;
    array->count++;
    return at;
}

void sl_pg_array_null(struct sl_pg_array *array)
{
    uint8_t *at = element(array, 0);
    put_be32(at - 4, (uint32_t)ARRAY_NULL_LENGTH);
    array->has_null = true;
}

void sl_pg_array_text(struct sl_pg_array *array, struct sl_str value)
{
    SL_ASSERT(array->type == SL_PG_TEXT || array->type == SL_PG_BYTEA || array->type == SL_PG_JSONB);
    const size_t version_bytes = array->type == SL_PG_JSONB ? 1 : 0;
    uint8_t *at = element(array, version_bytes + value.len);
    if (version_bytes > 0) {
        at[0] = SL_PG_JSONB_VERSION;
    }
    if (value.len > 0) {
        memcpy(at + version_bytes, value.ptr, value.len);
    }
}

void sl_pg_array_text_or_null(struct sl_pg_array *array, struct sl_str value)
{
    if (sl_str_empty(value)) {
        sl_pg_array_null(array);
    } else {
        sl_pg_array_text(array, value);
    }
}

void sl_pg_array_int(struct sl_pg_array *array, int64_t value)
{
    if (array->type == SL_PG_INT4) {
        SL_ASSERT(value >= INT32_MIN && value <= INT32_MAX);
        put_be32(element(array, 4), (uint32_t)(int32_t)value);
        return;
    }
    SL_ASSERT(array->type == SL_PG_INT8);
    put_be64(element(array, 8), (uint64_t)value);
}

void sl_pg_array_bool(struct sl_pg_array *array, bool value)
{
    SL_ASSERT(array->type == SL_PG_BOOL);
    *element(array, 1) = value ? 1 : 0;
}

void sl_pg_array_uuid(struct sl_pg_array *array, struct sl_uuid value)
{
    SL_ASSERT(array->type == SL_PG_UUID);
    memcpy(element(array, sizeof(value.bytes)), value.bytes, sizeof(value.bytes));
}

void sl_pg_array_uuid_or_null(struct sl_pg_array *array, struct sl_uuid value)
{
    if (sl_uuid_is_nil(value)) {
        sl_pg_array_null(array);
    } else {
        sl_pg_array_uuid(array, value);
    }
}

void sl_pg_array_at_ms_or_null(struct sl_pg_array *array, int64_t at_ms)
{
    SL_ASSERT(array->type == SL_PG_TIMESTAMPTZ);
    if (at_ms == 0) {
        sl_pg_array_null(array);
    } else {
        put_be64(element(array, 8), (uint64_t)timestamptz_of(at_ms));
    }
}

size_t sl_pg_array_count(const struct sl_pg_array *array)
{
    return array->count;
}

void sl_pg_array(struct sl_pg_params *params, struct sl_pg_array *array)
{
    const Oid element_type = TYPES[array->type].element;
    put_be32(array->data, array->count > 0 ? 1 : 0);
    put_be32(array->data + 4, array->has_null ? 1 : 0);
    put_be32(array->data + 8, element_type);
    put_be32(array->data + 12, (uint32_t)array->count);
    put_be32(array->data + 16, 1);
    add(params, TYPES[array->type].array, array->data, array->count > 0 ? array->len : ARRAY_EMPTY_BYTES);
}
