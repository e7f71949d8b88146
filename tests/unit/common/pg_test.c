/* pg_test.c - parameters and arrays as Postgres receives them, results as it sends them, SQLSTATEs as we act on them.
 */
#include "tests/unit/cmocka_all.h"

#include <string.h>

#include "common/pg_internal.h"

#define ARENA_BYTES_MAX (16 * 1024 * 1024)

static int make_arena(void **state)
{
    *state = sl_arena_create(ARENA_BYTES_MAX);
    return 0;
}

static int drop_arena(void **state)
{
    sl_arena_destroy(*state);
    return 0;
}

#define assert_param(params, index, oid, expected)                                                                     \
    do {                                                                                                               \
        assert_int_equal((params)->types[index], oid);                                                                 \
        assert_int_equal((params)->formats[index], 1);                                                                 \
        assert_non_null((params)->values[index]);                                                                      \
        assert_int_equal((params)->lengths[index], sizeof(expected) - 1);                                              \
        assert_memory_equal((params)->values[index], expected, sizeof(expected) - 1);                                  \
    } while (0)

static void values_are_binary(void **state)
{
    struct sl_pg_params params;
    sl_pg_params_init(&params, *state);
    char text[] = "text";
    struct sl_uuid uuid;
    memset(uuid.bytes, 0xab, sizeof(uuid.bytes));
    sl_pg_text(&params, sl_str_of(text));
    memset(text, 'x', sizeof(text)); /* a copy was taken */
    sl_pg_int8(&params, -2);
    sl_pg_int4(&params, 0x01020304);
    sl_pg_bool(&params, true);
    sl_pg_bool(&params, false);
    sl_pg_uuid(&params, uuid);
    sl_pg_bytea(&params, SL_STR("a\0b"));
    sl_pg_jsonb(&params, SL_STR("{}"));
    sl_pg_at_ms(&params, INT64_C(946684800001));
    assert_int_equal(params.count, 9);
    assert_param(&params, 0, 25, "text");
    assert_param(&params, 1, 20, "\xff\xff\xff\xff\xff\xff\xff\xfe");
    assert_param(&params, 2, 23, "\x01\x02\x03\x04");
    assert_param(&params, 3, 16, "\x01");
    assert_param(&params, 4, 16, "\x00");
    assert_param(&params, 5, 2950, "\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab");
    assert_param(&params, 6, 17, "a\0b");
    assert_param(&params, 7, 3802, "\x01{}");
    assert_param(&params, 8, 1184, "\0\0\0\0\0\0\x03\xe8");
}

static void empty_is_not_null_unless_it_says_so(void **state)
{
    struct sl_pg_params params;
    sl_pg_params_init(&params, *state);
    sl_pg_text(&params, SL_STR_NONE);
    sl_pg_bytea(&params, SL_STR_NONE);
    assert_param(&params, 0, 25, "");
    assert_param(&params, 1, 17, "");
    sl_pg_text_or_null(&params, SL_STR_NONE);
    sl_pg_jsonb(&params, SL_STR_NONE);
    sl_pg_at_ms(&params, 0);
    sl_pg_null(&params);
    static const Oid TYPES[] = {25, 3802, 1184, 0};
    for (int i = 0; i < 4; i++) {
        assert_null(params.values[2 + i]);
        assert_int_equal(params.types[2 + i], TYPES[i]);
    }
    sl_pg_text_or_null(&params, SL_STR("x"));
    assert_param(&params, 6, 25, "x");
}

static void times_are_clamped(void **state)
{
    struct sl_pg_params params;
    sl_pg_params_init(&params, *state);
    sl_pg_at_ms(&params, INT64_MAX);
    sl_pg_at_ms(&params, INT64_C(253402300799999));
    sl_pg_at_ms(&params, INT64_MIN);
    sl_pg_at_ms(&params, INT64_C(-62135596800000));
    assert_memory_equal(params.values[0], params.values[1], 8);
    assert_memory_equal(params.values[2], params.values[3], 8);
    assert_memory_not_equal(params.values[0], params.values[2], 8);
}

static void add_too_many(void *arena)
{
    struct sl_pg_params params;
    sl_pg_params_init(&params, arena);
    for (int i = 0; i <= SL_PG_PARAMS_MAX; i++) {
        sl_pg_bool(&params, true);
    }
}

static void add_large_int4(void *arena)
{
    sl_pg_array_int(sl_pg_array_create(arena, SL_PG_INT4), INT64_C(1) << 31);
}

static void add_text_to_numbers(void *arena)
{
    sl_pg_array_text(sl_pg_array_create(arena, SL_PG_INT8), SL_STR("1"));
}

static void mistakes_are_asserted(void **state)
{
    assert_aborts(add_too_many, *state);
    assert_aborts(add_large_int4, *state);
    assert_aborts(add_text_to_numbers, *state);
}

static void empty_array_has_no_dimension(void **state)
{
    struct sl_pg_params params;
    sl_pg_params_init(&params, *state);
    struct sl_pg_array *array = sl_pg_array_create(*state, SL_PG_TEXT);
    assert_int_equal(sl_pg_array_count(array), 0);
    sl_pg_array(&params, array);
    assert_param(&params, 0, 1009, "\0\0\0\0\0\0\0\0\0\0\0\x19");
}

static void array_of_int8_with_a_null(void **state)
{
    struct sl_pg_params params;
    sl_pg_params_init(&params, *state);
    struct sl_pg_array *array = sl_pg_array_create(*state, SL_PG_INT8);
    sl_pg_array_int(array, 1);
    sl_pg_array_null(array);
    sl_pg_array_int(array, INT64_MIN);
    assert_int_equal(sl_pg_array_count(array), 3);
    sl_pg_array(&params, array);
    assert_param(&params, 0, 1016,
                 "\0\0\0\x01\0\0\0\x01\0\0\0\x14\0\0\0\x03\0\0\0\x01" /* 1 dimension, has NULLs, int8, 3 from 1 */
                 "\0\0\0\x08\0\0\0\0\0\0\0\x01"
                 "\xff\xff\xff\xff"
                 "\0\0\0\x08\x80\0\0\0\0\0\0\0");
}

static void array_of_each_type(void **state)
{
    struct sl_pg_params params;
    sl_pg_params_init(&params, *state);
    struct sl_pg_array *arrays[] = {
        sl_pg_array_create(*state, SL_PG_TEXT),        sl_pg_array_create(*state, SL_PG_INT4),
        sl_pg_array_create(*state, SL_PG_BOOL),        sl_pg_array_create(*state, SL_PG_UUID),
        sl_pg_array_create(*state, SL_PG_BYTEA),       sl_pg_array_create(*state, SL_PG_JSONB),
        sl_pg_array_create(*state, SL_PG_TIMESTAMPTZ),
    };
    sl_pg_array_text(arrays[0], SL_STR_NONE); /* the empty text */
    sl_pg_array_int(arrays[1], -1);
    sl_pg_array_bool(arrays[2], true);
    sl_pg_array_uuid(arrays[3], (struct sl_uuid){{1}});
    sl_pg_array_text(arrays[4], SL_STR("\0"));
    sl_pg_array_text(arrays[5], SL_STR("1"));
    sl_pg_array_at_ms_or_null(arrays[6], INT64_C(946684800000) - 1);
    for (size_t i = 0; i < SL_ARRAY_LEN(arrays); i++) {
        sl_pg_array(&params, arrays[i]);
    }
#define HEAD(oid) "\0\0\0\x01\0\0\0\0\0\0" oid "\0\0\0\x01\0\0\0\x01"
    assert_param(&params, 0, 1009, HEAD("\0\x19") "\0\0\0\0");
    assert_param(&params, 1, 1007, HEAD("\0\x17") "\0\0\0\x04\xff\xff\xff\xff");
    assert_param(&params, 2, 1000, HEAD("\0\x10") "\0\0\0\x01\x01");
    assert_param(&params, 3, 2951, HEAD("\x0b\x86") "\0\0\0\x10\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    assert_param(&params, 4, 1001, HEAD("\0\x11") "\0\0\0\x01\0");
    assert_param(&params, 5, 3807, HEAD("\x0e\xda") "\0\0\0\x02\x01\x31");
    assert_param(&params, 6, 1185, HEAD("\x04\xa0") "\0\0\0\x08\xff\xff\xff\xff\xff\xff\xfc\x18");
}

static void or_null_makes_nulls(void **state)
{
    struct sl_pg_params params;
    sl_pg_params_init(&params, *state);
    struct sl_pg_array *texts = sl_pg_array_create(*state, SL_PG_TEXT);
    struct sl_pg_array *uuids = sl_pg_array_create(*state, SL_PG_UUID);
    struct sl_pg_array *times = sl_pg_array_create(*state, SL_PG_TIMESTAMPTZ);
    sl_pg_array_text_or_null(texts, SL_STR_NONE);
    sl_pg_array_uuid_or_null(uuids, (struct sl_uuid){{0}});
    sl_pg_array_at_ms_or_null(times, 0);
    sl_pg_array(&params, texts);
    sl_pg_array(&params, uuids);
    sl_pg_array(&params, times);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(params.lengths[i], 24);
        assert_int_equal(params.values[i][7], 1); /* has NULLs */
        assert_memory_equal(params.values[i] + 20, "\xff\xff\xff\xff", 4);
    }
}

static void array_grows(void **state)
{
    struct sl_pg_params params;
    sl_pg_params_init(&params, *state);
    struct sl_pg_array *array = sl_pg_array_create(*state, SL_PG_INT4);
    for (int i = 0; i < 10000; i++) {
        sl_pg_array_int(array, i);
    }
    sl_pg_array(&params, array);
    assert_int_equal(params.lengths[0], 20 + 10000 * 8);
    for (int i = 0; i < 10000; i++) {
        const uint8_t *at = (const uint8_t *)params.values[0] + 20 + (size_t)i * 8;
        assert_int_equal(at[6] << 8 | at[7], i);
    }
}

/* A result with one row, made by hand as the server would send it. */
struct cell {
    Oid type;
    int len; /* -1: NULL */
    char bytes[16];
};

static PGresult *row_of(const struct cell *cells, int count)
{
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    PGresAttDesc columns[16];
    char name[] = "c";
    memset(columns, 0, sizeof(columns));
    for (int i = 0; i < count; i++) {
        columns[i].name = name;
        columns[i].typid = cells[i].type;
        columns[i].format = 1;
    }
    assert_int_equal(PQsetResultAttrs(result, count, columns), 1);
    for (int i = 0; i < count; i++) {
        char bytes[16];
        memcpy(bytes, cells[i].bytes, sizeof(bytes));
        assert_int_equal(PQsetvalue(result, 0, i, cells[i].len < 0 ? NULL : bytes, cells[i].len), 1);
    }
    return result;
}

static void fields_are_read(void **state)
{
    (void)state;
    static const struct cell CELLS[] = {
        {25, 3, "a\0b"},
        {3802, 3, "\x01{}"},
        {21, 2, "\xff\xfe"},
        {23, 4, "\xff\xff\xff\xfe"},
        {20, 8, "\x80\0\0\0\0\0\0\0"},
        {16, 1, "\x01"},
        {2950, 16, "0123456789abcde"},
        {20000, 4, "enum"},
    };
    SL_PG_AUTO *result = row_of(CELLS, SL_ARRAY_LEN(CELLS));
    assert_int_equal(sl_pg_get_text(result, 0, 0).len, 3);
    assert_str_is(sl_pg_get_text(result, 0, 1), "{}");
    assert_int_equal(sl_pg_get_int(result, 0, 2), -2);
    assert_int_equal(sl_pg_get_int(result, 0, 3), -2);
    assert_true(sl_pg_get_int(result, 0, 4) == INT64_MIN);
    assert_true(sl_pg_get_bool(result, 0, 5));
    assert_memory_equal(sl_pg_get_uuid(result, 0, 6).bytes, "0123456789abcde", 16);
    assert_str_is(sl_pg_get_text(result, 0, 7), "enum");
    assert_false(sl_pg_is_null(result, 0, 0));
}

static void null_reads_as_nothing(void **state)
{
    (void)state;
    static const struct cell CELLS[] = {{25, -1, ""}, {20, -1, ""}, {16, -1, ""}, {2950, -1, ""}, {1184, -1, ""}};
    SL_PG_AUTO *result = row_of(CELLS, SL_ARRAY_LEN(CELLS));
    assert_int_equal(sl_pg_get_text(result, 0, 0).len, 0);
    assert_int_equal(sl_pg_get_int(result, 0, 1), 0);
    assert_false(sl_pg_get_bool(result, 0, 2));
    assert_true(sl_uuid_is_nil(sl_pg_get_uuid(result, 0, 3)));
    assert_int_equal(sl_pg_get_at_ms(result, 0, 4), 0);
    assert_true(sl_pg_is_null(result, 0, 4));
}

static void times_are_read_in_whole_milliseconds(void **state)
{
    (void)state;
    static const struct cell CELLS[] = {
        {1184, 8, "\0\0\0\0\0\0\x07\xcf"},             /* 1999 us after 2000 */
        {1184, 8, "\xff\xff\xff\xff\xff\xff\xff\xff"}, /* 1 us before it */
        {1184, 8, "\xff\xff\xff\xff\xff\xff\xfc\x18"}, /* 1 ms before it */
        {1184, 8, "\x7f\xff\xff\xff\xff\xff\xff\xff"}, /* infinity */
        {1184, 8, "\x80\0\0\0\0\0\0\0"},               /* -infinity */
    };
    SL_PG_AUTO *result = row_of(CELLS, SL_ARRAY_LEN(CELLS));
    static const int64_t EXPECTED[] = {946684800001, 946684799999, 946684799999, 253402300799999, -62135596800000};
    for (int i = 0; i < (int)SL_ARRAY_LEN(CELLS); i++) {
        assert_true(sl_pg_get_at_ms(result, 0, i) == EXPECTED[i]);
    }
}

static void read_number_as_text(void *result)
{
    (void)sl_pg_get_text(result, 0, 0);
}

static void read_text_as_number(void *result)
{
    (void)sl_pg_get_int(result, 0, 1);
}

static void read_beyond_the_rows(void *result)
{
    (void)sl_pg_get_int(result, 1, 0);
}

static void wrong_types_are_asserted(void **state)
{
    (void)state;
    static const struct cell CELLS[] = {{20, 8, "12345678"}, {25, 3, "abc"}};
    SL_PG_AUTO *result = row_of(CELLS, SL_ARRAY_LEN(CELLS));
    assert_aborts(read_number_as_text, result);
    assert_aborts(read_text_as_number, result);
    assert_aborts(read_beyond_the_rows, result);
}

static void sqlstates_have_classes(void **state)
{
    (void)state;
    static const struct {
        const char *sqlstate;
        enum sl_err_class error_class;
    } ROWS[] = {
        {"", SL_ERR_RETRY},          {"08006", SL_ERR_RETRY}, /* connection failure */
        {"57P01", SL_ERR_RETRY},                              /* admin shutdown */
        {"57P03", SL_ERR_RETRY},                              /* cannot connect now */
        {"53300", SL_ERR_RETRY},                              /* too many connections */
        {"53100", SL_ERR_RETRY},                              /* disk full */
        {"40001", SL_ERR_RETRY},                              /* serialization failure */
        {"40P01", SL_ERR_RETRY},                              /* deadlock detected */
        {"55P03", SL_ERR_RETRY},                              /* lock not available */
        {"25P03", SL_ERR_RETRY},                              /* idle in transaction timeout */
        {"57014", SL_ERR_RETRY},                              /* query canceled */
        {"25006", SL_ERR_RETRY},                              /* read only */
        {"58030", SL_ERR_RETRY},                              /* I/O error */
        {"26000", SL_ERR_RETRY},                              /* prepared statement gone */
        {"28P01", SL_ERR_PERMANENT},                          /* invalid password */
        {"3D000", SL_ERR_PERMANENT},                          /* no such database */
        {"23505", SL_ERR_PERMANENT},                          /* unique violation */
        {"22021", SL_ERR_PERMANENT},                          /* not in the encoding */
        {"25P02", SL_ERR_PERMANENT},                          /* in failed transaction */
        {"40002", SL_ERR_PERMANENT},                          /* integrity constraint */
        {"42601", SL_ERR_PERMANENT},                          /* syntax */
        {"0A000", SL_ERR_PERMANENT},                          /* not supported */
        {"XX000", SL_ERR_PERMANENT},                          /* internal error */
        {"4000", SL_ERR_PERMANENT},                           /* not a whole code */
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        assert_int_equal(sl_pg_sqlstate_class(ROWS[i].sqlstate), ROWS[i].error_class);
    }
}

static void bad_urls_are_permanent_and_not_quoted(void **state)
{
    (void)state;
    static const char *const URLS[] = {"", "postgresql://u:topsecret@[::1/db", "topsecret",
                                       "host=h password='topsecret"};
    for (size_t i = 0; i < SL_ARRAY_LEN(URLS); i++) {
        struct sl_err err = {0};
        assert_null(sl_pg_open(URLS[i], "test", 1000, &err));
        assert_int_equal(err.error_class, SL_ERR_PERMANENT);
        assert_null(strstr(err.message, "topsecret"));
        assert_null(strstr(err.detail, "topsecret"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_binary),
        cmocka_unit_test(empty_is_not_null_unless_it_says_so),
        cmocka_unit_test(times_are_clamped),
        cmocka_unit_test(mistakes_are_asserted),
        cmocka_unit_test(empty_array_has_no_dimension),
        cmocka_unit_test(array_of_int8_with_a_null),
        cmocka_unit_test(array_of_each_type),
        cmocka_unit_test(or_null_makes_nulls),
        cmocka_unit_test(array_grows),
        cmocka_unit_test(fields_are_read),
        cmocka_unit_test(null_reads_as_nothing),
        cmocka_unit_test(times_are_read_in_whole_milliseconds),
        cmocka_unit_test(wrong_types_are_asserted),
        cmocka_unit_test(sqlstates_have_classes),
        cmocka_unit_test(bad_urls_are_permanent_and_not_quoted),
    };
    return cmocka_run_group_tests(tests, make_arena, drop_arena);
}
