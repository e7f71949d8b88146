/* pg_io_test.c - sessions and pipelines against the Postgres of DATABASE_URL. Leaves nothing behind: its tables are
 * temporary.
 */
#include "tests/unit/cmocka_all.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/pg.h"
#include "tests/unit/common/http_server.h"

#define OPEN_MS         20000
#define SHORT_MS        200
#define ARENA_BYTES_MAX (256 * 1024 * 1024)
#define MANY_STATEMENTS 200

struct world {
    struct sl_pg *pg;
    struct sl_arena *arena;
    struct sl_err err;
};

static const char *url(void)
{
    const char *text = getenv("DATABASE_URL");
    if (text == NULL) {
        fail_msg("%s", "DATABASE_URL names no Postgres");
    }
    return text;
}

static struct sl_pg *session(void)
{
    struct sl_err err = {0};
    struct sl_pg *pg = sl_pg_open(url(), "sluice-test", OPEN_MS, &err);
    if (pg == NULL) {
        fail_msg("%s: %s", err.message, err.detail);
    }
    return pg;
}

static int make_world(void **state)
{
    static struct world world;
    world = (struct world){.pg = session(), .arena = sl_arena_create(ARENA_BYTES_MAX)};
    const char script[] = "CREATE TEMP TABLE things (id int8 PRIMARY KEY, name text)";
    assert_true(sl_pg_script(world.pg, script, &world.err));
    *state = &world;
    return 0;
}

static int drop_world(void **state)
{
    struct world *world = *state;
    sl_pg_close(world->pg);
    sl_arena_destroy(world->arena);
    return 0;
}

static const char ONE[] = "SELECT 1";
static const char INSERT[] = "INSERT INTO things (id, name) VALUES ($1, $2)";
static const char COUNT[] = "SELECT count(*) FROM things";

static void queue(struct world *world, const char *sql, const struct sl_pg_params *params)
{
    assert_true(sl_pg_queue(world->pg, sql, params, &world->err));
}

static void queue_insert(struct world *world, int64_t id)
{
    struct sl_pg_params params;
    sl_pg_params_init(&params, world->arena);
    sl_pg_int8(&params, id);
    sl_pg_text(&params, SL_STR("name"));
    queue(world, INSERT, &params);
}

static int64_t number_of(struct world *world, const char *sql)
{
    SL_PG_AUTO *result = NULL;
    if (!sl_pg_run(world->pg, sql, NULL, &result, &world->err)) {
        fail_msg("%s: %s", world->err.message, world->err.detail);
    }
    assert_int_equal(PQntuples(result), 1);
    return sl_pg_get_int(result, 0, 0);
}

static void every_type_comes_back_as_it_went(void **state)
{
    struct world *world = *state;
    static const char SQL[] =
        "SELECT $1::text, $2::int8, $3::int4, $4::bool, $5::uuid, $6::bytea, $7::jsonb, $8::timestamptz,"
        " $9::text, $10::jsonb, $11::timestamptz, $12::int4, '-infinity'::timestamptz";
    struct sl_pg_params params;
    const struct sl_uuid uuid = {{1, 2, 3}};
    sl_pg_params_init(&params, world->arena);
    sl_pg_text(&params, SL_STR_NONE);
    sl_pg_int8(&params, INT64_MIN);
    sl_pg_int4(&params, INT32_MIN);
    sl_pg_bool(&params, true);
    sl_pg_uuid(&params, uuid);
    sl_pg_bytea(&params, SL_STR("\0\xff"));
    sl_pg_jsonb(&params, SL_STR("{\"a\": [1]}"));
    sl_pg_at_ms(&params, INT64_C(-1));
    sl_pg_text_or_null(&params, SL_STR_NONE);
    sl_pg_jsonb(&params, SL_STR_NONE);
    sl_pg_at_ms(&params, 0);
    sl_pg_null(&params);
    SL_PG_AUTO *result = NULL;
    assert_true(sl_pg_run(world->pg, SQL, &params, &result, &world->err));
    assert_false(sl_pg_is_null(result, 0, 0));
    assert_int_equal(sl_pg_get_text(result, 0, 0).len, 0);
    assert_true(sl_pg_get_int(result, 0, 1) == INT64_MIN);
    assert_true(sl_pg_get_int(result, 0, 2) == INT32_MIN);
    assert_true(sl_pg_get_bool(result, 0, 3));
    assert_true(sl_uuid_equal(sl_pg_get_uuid(result, 0, 4), uuid));
    assert_int_equal(sl_pg_get_text(result, 0, 5).len, 2);
    assert_str_is(sl_pg_get_text(result, 0, 6), "{\"a\": [1]}");
    assert_true(sl_pg_get_at_ms(result, 0, 7) == -1);
    for (int column = 8; column < 12; column++) {
        assert_true(sl_pg_is_null(result, 0, column));
    }
    assert_true(sl_pg_get_at_ms(result, 0, 12) < 0);
}

static void arrays_unnest(void **state)
{
    struct world *world = *state;
    static const char SQL[] =
        "SELECT * FROM unnest($1::text[], $2::int8[], $3::int4[], $4::bool[], $5::uuid[], $6::bytea[], $7::jsonb[],"
        " $8::timestamptz[], $9::text[]) WITH ORDINALITY";
    static const enum sl_pg_type TYPES[] = {SL_PG_TEXT,  SL_PG_INT8,  SL_PG_INT4,        SL_PG_BOOL, SL_PG_UUID,
                                            SL_PG_BYTEA, SL_PG_JSONB, SL_PG_TIMESTAMPTZ, SL_PG_TEXT};
    struct sl_pg_array *arrays[SL_ARRAY_LEN(TYPES)];
    struct sl_pg_params params;
    sl_pg_params_init(&params, world->arena);
    for (size_t i = 0; i < SL_ARRAY_LEN(TYPES); i++) {
        arrays[i] = sl_pg_array_create(world->arena, TYPES[i]);
    }
    sl_pg_array_text(arrays[0], SL_STR("a"));
    sl_pg_array_int(arrays[1], 2);
    sl_pg_array_int(arrays[2], -3);
    sl_pg_array_bool(arrays[3], true);
    sl_pg_array_uuid(arrays[4], (struct sl_uuid){{5}});
    sl_pg_array_text(arrays[5], SL_STR("\x06"));
    sl_pg_array_text(arrays[6], SL_STR("7"));
    sl_pg_array_at_ms_or_null(arrays[7], 8);
    for (size_t i = 0; i < SL_ARRAY_LEN(TYPES); i++) {
        if (i < 8) {
            sl_pg_array_null(arrays[i]);
        }
        sl_pg_array(&params, arrays[i]); /* the last stays empty */
    }
    SL_PG_AUTO *result = NULL;
    assert_true(sl_pg_run(world->pg, SQL, &params, &result, &world->err));
    assert_int_equal(PQntuples(result), 2);
    assert_str_is(sl_pg_get_text(result, 0, 0), "a");
    assert_int_equal(sl_pg_get_int(result, 0, 1), 2);
    assert_int_equal(sl_pg_get_int(result, 0, 2), -3);
    assert_true(sl_pg_get_bool(result, 0, 3));
    assert_int_equal(sl_pg_get_uuid(result, 0, 4).bytes[0], 5);
    assert_str_is(sl_pg_get_text(result, 0, 5), "\x06");
    assert_str_is(sl_pg_get_text(result, 0, 6), "7");
    assert_int_equal(sl_pg_get_at_ms(result, 0, 7), 8);
    assert_true(sl_pg_is_null(result, 0, 8));
    for (int column = 0; column < 9; column++) {
        assert_true(sl_pg_is_null(result, 1, column));
    }
}

static void pipeline_gives_results_in_order(void **state)
{
    struct world *world = *state;
    queue(world, SL_PG_BEGIN, NULL);
    queue_insert(world, 1);
    queue_insert(world, 2); /* the same statement twice */
    queue(world, COUNT, NULL);
    queue(world, SL_PG_COMMIT, NULL);
    PGresult *results[5] = {NULL};
    assert_true(sl_pg_flush(world->pg, results, 5, &world->err));
    assert_int_equal(sl_pg_affected(results[0]), 0);
    assert_int_equal(sl_pg_affected(results[1]), 1);
    assert_int_equal(sl_pg_affected(results[2]), 1);
    assert_int_equal(sl_pg_get_int(results[3], 0, 0), 2);
    for (size_t i = 0; i < SL_ARRAY_LEN(results); i++) {
        sl_pg_clear(&results[i]);
    }
    assert_true(sl_pg_flush(world->pg, NULL, 0, &world->err));
    queue_insert(world, 3);
    assert_true(sl_pg_flush(world->pg, NULL, 1, &world->err)); /* results dropped */
    assert_int_equal(number_of(world, COUNT), 3);
}

static void failure_aborts_the_rest_and_names_its_statement(void **state)
{
    struct world *world = *state;
    static const char BAD[] = "SELECT no_such_column";
    static const char AFTER[] = "SELECT 2";
    queue_insert(world, 1);
    queue(world, BAD, NULL);
    queue(world, AFTER, NULL);
    queue(world, AFTER, NULL);
    PGresult *results[4] = {NULL};
    assert_false(sl_pg_flush(world->pg, results, 4, &world->err));
    for (size_t i = 0; i < SL_ARRAY_LEN(results); i++) {
        assert_null(results[i]);
    }
    assert_int_equal(world->err.error_class, SL_ERR_PERMANENT);
    assert_string_equal(world->err.code, "42703");
    assert_non_null(strstr(world->err.message, "no_such_column"));
    assert_non_null(strstr(world->err.detail, BAD));
    assert_true(sl_pg_is_usable(world->pg));
    /* a pipeline is one transaction; what was to be prepared after the failure is prepared when it is needed */
    assert_int_equal(number_of(world, COUNT), 0);
    assert_int_equal(number_of(world, AFTER), 2);
    assert_false(sl_pg_run(world->pg, BAD, NULL, NULL, &world->err));
    queue_insert(world, 1);
    queue_insert(world, 1);
    assert_false(sl_pg_flush(world->pg, NULL, 2, &world->err));
    assert_string_equal(world->err.code, "23505");
    assert_non_null(strstr(world->err.detail, "(1)"));
    assert_int_equal(number_of(world, COUNT), 0);
}

static void failed_transaction_cannot_commit(void **state)
{
    struct world *world = *state;
    queue(world, SL_PG_BEGIN, NULL);
    queue_insert(world, 1);
    queue_insert(world, 1);
    queue(world, SL_PG_COMMIT, NULL);
    assert_false(sl_pg_flush(world->pg, NULL, 4, &world->err));
    assert_string_equal(world->err.code, "23505");
    assert_int_equal(PQtransactionStatus(sl_pg_borrow_conn(world->pg)), PQTRANS_INERROR);
    assert_false(sl_pg_run(world->pg, SL_PG_COMMIT, NULL, NULL, &world->err)); /* the server calls it a success */
    assert_int_equal(number_of(world, COUNT), 0);

    assert_true(sl_pg_run(world->pg, SL_PG_BEGIN, NULL, NULL, &world->err));
    queue_insert(world, 1);
    assert_true(sl_pg_flush(world->pg, NULL, 1, &world->err));
    queue_insert(world, 2); /* queued, never sent */
    sl_pg_rollback(world->pg);
    assert_int_equal(PQtransactionStatus(sl_pg_borrow_conn(world->pg)), PQTRANS_IDLE);
    assert_int_equal(number_of(world, COUNT), 0);
    sl_pg_rollback(world->pg); /* nothing open: nothing to do */
    assert_true(sl_pg_is_usable(world->pg));
}

static void both_directions_may_be_full(void **state)
{
    struct world *world = *state;
    static const char ECHO[] = "SELECT $1::bytea";
    const size_t len = (size_t)1024 * 1024;
    char *bytes = sl_calloc(1, len);
    for (int i = 0; i < SL_PG_PIPELINE_MAX; i++) {
        struct sl_pg_params params;
        sl_pg_params_init(&params, world->arena);
        bytes[0] = (char)i;
        sl_pg_bytea(&params, (struct sl_str){.ptr = bytes, .len = len});
        queue(world, ECHO, &params);
    }
    free(bytes);
    PGresult *results[SL_PG_PIPELINE_MAX] = {NULL};
    assert_true(sl_pg_flush(world->pg, results, SL_PG_PIPELINE_MAX, &world->err));
    for (int i = 0; i < SL_PG_PIPELINE_MAX; i++) {
        const struct sl_str echoed = sl_pg_get_text(results[i], 0, 0);
        assert_int_equal(echoed.len, len);
        assert_int_equal(echoed.ptr[0], i);
        sl_pg_clear(&results[i]);
    }
}

static void pipeline_has_a_maximum(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < SL_PG_PIPELINE_MAX; i++) {
        queue(world, ONE, NULL);
    }
    assert_false(sl_pg_queue(world->pg, ONE, NULL, &world->err));
    assert_int_equal(world->err.error_class, SL_ERR_PERMANENT);
    assert_int_equal(number_of(world, ONE), 1); /* nothing is left queued */
}

static void more_statements_than_the_table_holds(void **state)
{
    struct world *world = *state;
    static char texts[MANY_STATEMENTS][24];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY_STATEMENTS; i++) {
            (void)snprintf(texts[i], sizeof(texts[i]), "SELECT %d", i);
            assert_int_equal(number_of(world, texts[i]), i);
        }
    }
}

static void types_belong_to_the_statement(void **state)
{
    struct world *world = *state;
    static const char SQL[] = "SELECT coalesce($1, 7::int4)"; /* a bare NULL is taken for an int4 */
    for (int i = 0; i < 4; i++) {
        struct sl_pg_params params;
        SL_PG_AUTO *result = NULL;
        sl_pg_params_init(&params, world->arena);
        if (i % 2 == 0) {
            sl_pg_null(&params);
        } else {
            sl_pg_int8(&params, INT64_C(1) << 40);
        }
        assert_true(sl_pg_run(world->pg, SQL, &params, &result, &world->err));
        assert_true(sl_pg_get_int(result, 0, 0) == (i % 2 == 0 ? 7 : INT64_C(1) << 40));
    }
}

static void scripts_run_as_one(void **state)
{
    struct world *world = *state;
    assert_true(
        sl_pg_script(world->pg, "INSERT INTO things VALUES (1); SELECT 1; INSERT INTO things VALUES (2)", &world->err));
    assert_int_equal(number_of(world, COUNT), 2);
    assert_false(sl_pg_script(world->pg, "INSERT INTO things VALUES (3); INSERT INTO things VALUES (1)", &world->err));
    assert_string_equal(world->err.code, "23505");
    assert_int_equal(number_of(world, COUNT), 2);
    assert_true(sl_pg_script(world->pg, "", &world->err));
    assert_true(sl_pg_script(world->pg, "BEGIN; INSERT INTO things VALUES (3)", &world->err));
    sl_pg_rollback(world->pg);
    assert_int_equal(number_of(world, COUNT), 2);
    assert_false(sl_pg_script(world->pg, "COPY things TO STDOUT", &world->err));
    assert_false(sl_pg_is_usable(world->pg));
}

static void copy_in_a_pipeline_is_an_error(void **state)
{
    struct world *world = *state;
    static const char COPY[] = "COPY things FROM STDIN";
    queue(world, COPY, NULL);
    queue(world, ONE, NULL);
    assert_false(sl_pg_flush(world->pg, NULL, 2, &world->err));
    assert_false(sl_pg_is_usable(world->pg));
}

static const char DIE[] = "SELECT pg_terminate_backend(pg_backend_pid())";

static void lost_in_the_middle(void **state)
{
    struct world *world = *state;
    queue(world, ONE, NULL);
    queue(world, DIE, NULL);
    queue(world, ONE, NULL);
    PGresult *results[3] = {NULL};
    assert_false(sl_pg_flush(world->pg, results, 3, &world->err));
    assert_int_equal(world->err.error_class, SL_ERR_RETRY);
    assert_string_equal(world->err.code, "57P01");
    assert_false(sl_pg_is_usable(world->pg));
    for (size_t i = 0; i < SL_ARRAY_LEN(results); i++) {
        assert_null(results[i]);
    }
    /* and it stays lost, quietly */
    sl_pg_rollback(world->pg);
    assert_false(sl_pg_queue(world->pg, ONE, NULL, &world->err));
    assert_int_equal(world->err.error_class, SL_ERR_RETRY);
    assert_false(sl_pg_run(world->pg, ONE, NULL, NULL, &world->err));
    assert_false(sl_pg_script(world->pg, "SELECT 1", &world->err));
}

static void kill_session(const struct world *world)
{
    static const char KILL[] = "SELECT pg_terminate_backend($1)";
    static const char GONE[] = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1";
    struct sl_pg *other = session();
    struct sl_err err = {0};
    struct sl_pg_params params;
    sl_pg_params_init(&params, world->arena);
    sl_pg_int4(&params, PQbackendPID(sl_pg_borrow_conn(world->pg)));
    assert_true(sl_pg_run(other, KILL, &params, NULL, &err));
    for (int64_t left = 1; left > 0;) {
        SL_PG_AUTO *result = NULL;
        assert_true(sl_pg_run(other, GONE, &params, &result, &err));
        left = sl_pg_get_int(result, 0, 0);
    }
    sl_pg_close(other);
}

static void lost_while_idle(void **state)
{
    struct world *world = *state;
    assert_int_equal(number_of(world, ONE), 1);
    kill_session(world);
    assert_false(sl_pg_run(world->pg, ONE, NULL, NULL, &world->err));
    assert_int_equal(world->err.error_class, SL_ERR_RETRY);
    assert_false(sl_pg_is_usable(world->pg));
}

static void lost_in_a_transaction_and_in_a_script(void **state)
{
    struct world *world = *state;
    assert_true(sl_pg_run(world->pg, SL_PG_BEGIN, NULL, NULL, &world->err));
    kill_session(world);
    sl_pg_rollback(world->pg);
    assert_false(sl_pg_is_usable(world->pg));
    sl_pg_close(world->pg);
    world->pg = session();
    assert_false(sl_pg_script(world->pg, DIE, &world->err));
    assert_int_equal(world->err.error_class, SL_ERR_RETRY);
    assert_false(sl_pg_is_usable(world->pg));
}

static void outdated_plan_ends_the_session(void **state)
{
    struct world *world = *state;
    static const char ALL[] = "SELECT * FROM things";
    static const char NEW_COLUMN[] = "ALTER TABLE things ADD COLUMN more int4";
    assert_true(sl_pg_run(world->pg, ALL, NULL, NULL, &world->err));
    assert_true(sl_pg_script(world->pg, NEW_COLUMN, &world->err));
    assert_false(sl_pg_run(world->pg, ALL, NULL, NULL, &world->err));
    assert_int_equal(world->err.error_class, SL_ERR_RETRY);
    assert_false(sl_pg_is_usable(world->pg));
}

static void forgotten_statements_end_the_session(void **state)
{
    struct world *world = *state;
    assert_int_equal(number_of(world, ONE), 1);
    assert_true(sl_pg_script(world->pg, "DEALLOCATE ALL", &world->err));
    assert_false(sl_pg_run(world->pg, ONE, NULL, NULL, &world->err));
    assert_int_equal(world->err.error_class, SL_ERR_RETRY);
    assert_false(sl_pg_is_usable(world->pg));
}

/* DATABASE_URL with one parameter changed, as a connection string. */
static const char *url_with(const char *key, const char *value)
{
    static char text[2048];
    size_t len = 0;
    PQconninfoOption *options = PQconninfoParse(url(), NULL);
    assert_non_null(options);
    for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
        const char *shown = strcmp(option->keyword, key) == 0 ? value : option->val;
        if (shown != NULL) {
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s='%s' ", option->keyword, shown);
            assert_true(len < sizeof(text));
        }
    }
    PQconninfoFree(options);
    return text;
}

static void settings_are_made_and_may_be_overridden(void **state)
{
    struct world *world = *state;
    static const char SQL[] = "SELECT current_setting('application_name'), current_setting('search_path'),"
                              " current_setting('statement_timeout'), current_setting('client_encoding')";
    SL_PG_AUTO *result = NULL;
    assert_true(sl_pg_run(world->pg, SQL, NULL, &result, &world->err));
    assert_str_is(sl_pg_get_text(result, 0, 0), "sluice-test");
    assert_str_is(sl_pg_get_text(result, 0, 1), "sluice,public");
    assert_str_is(sl_pg_get_text(result, 0, 2), "30s");
    assert_str_is(sl_pg_get_text(result, 0, 3), "UTF8");

    static const char SLEEP[] = "SELECT pg_sleep(60)";
    struct sl_pg *hasty =
        sl_pg_open(url_with("options", "-c statement_timeout=50"), "sluice-test", OPEN_MS, &world->err);
    assert_non_null(hasty);
    assert_false(sl_pg_run(hasty, SLEEP, NULL, NULL, &world->err));
    assert_string_equal(world->err.code, "57014");
    assert_int_equal(world->err.error_class, SL_ERR_RETRY);
    assert_true(sl_pg_is_usable(hasty));
    sl_pg_close(hasty);
}

static void refused_err(const char *text, enum sl_err_class error_class, const char *code)
{
    struct sl_err err = {0};
    assert_null(sl_pg_open(text, "sluice-test", OPEN_MS, &err));
    assert_int_equal(err.error_class, error_class);
    assert_string_equal(err.code, code);
    assert_true(err.detail[0] != '\0');
}

static void refusals_are_told_from_absence(void **state)
{
    (void)state;
    char port[16];
    (void)snprintf(port, sizeof(port), "%d", server_free_port());
    refused_err(url_with("password", "wrong"), SL_ERR_PERMANENT, "28P01");
    refused_err(url_with("dbname", "no_such_database"), SL_ERR_PERMANENT, "3D000");
    refused_err(url_with("port", port), SL_ERR_RETRY, "");
    sl_pg_close(NULL);
}

static void serve_silence(struct server *server, int fd, int number)
{
    (void)server;
    (void)number;
    server_wait_for_close(fd);
}

static void connecting_has_a_deadline(void **state)
{
    struct world *world = *state;
    struct server server;
    char port[16];
    server_start(&server, serve_silence);
    (void)snprintf(port, sizeof(port), "%d", server.port);
    assert_null(sl_pg_open(url_with("port", port), "sluice-test", SHORT_MS, &world->err));
    assert_int_equal(world->err.error_class, SL_ERR_RETRY);
    server_stop(&server);
}

#define test(name) cmocka_unit_test_setup_teardown(name, make_world, drop_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(every_type_comes_back_as_it_went),
        test(arrays_unnest),
        test(pipeline_gives_results_in_order),
        test(failure_aborts_the_rest_and_names_its_statement),
        test(failed_transaction_cannot_commit),
        test(both_directions_may_be_full),
        test(pipeline_has_a_maximum),
        test(more_statements_than_the_table_holds),
        test(types_belong_to_the_statement),
        test(scripts_run_as_one),
        test(copy_in_a_pipeline_is_an_error),
        test(lost_in_the_middle),
        test(lost_while_idle),
        test(lost_in_a_transaction_and_in_a_script),
        test(outdated_plan_ends_the_session),
        test(forgotten_statements_end_the_session),
        test(settings_are_made_and_may_be_overridden),
        test(refusals_are_told_from_absence),
        test(connecting_has_a_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
