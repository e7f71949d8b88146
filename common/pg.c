/* pg.c - a Postgres session: the statements it has prepared, and pipelines over libpq.
 *
 * A pipeline is kept until sl_pg_flush sends all of it and reads all of its results, both at once: the socket is
 * non-blocking, so neither side can wait for the other with full buffers. Statements are prepared inside the pipeline
 * that uses them first. Input: sl_pg_queue, sl_pg_script; output: results in the order of the queueing. Thread: the
 * session's owner.
 *
 * Invariants (session_check, between calls of a session that is not lost):
 * 1. queued <= SL_PG_PIPELINE_MAX, statement_count <= STATEMENTS_MAX.
 * 2. libpq is outside pipeline mode, and nothing is under way.
 * 3. A statement that is `prepared` exists on the server by its name; none is `sent`.
 * 4. What the server may have understood differently from us ends the session: `lost` never becomes false again.
 */
#include "common/pg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/fault.h"
#include "common/pg_internal.h"

#define STATEMENTS_MAX       128
#define STATEMENT_NAME_BYTES 24
/* A pipeline whose results are not all there by then ran into a server that hangs: the session is given up. */
#define PIPELINE_TIMEOUT_MS (INT64_C(2) * SL_PG_STATEMENT_TIMEOUT_MS)
#define NO_DEADLINE         (-1)

const char SL_PG_BEGIN[] = "BEGIN";
const char SL_PG_COMMIT[] = "COMMIT";
const char SL_PG_ROLLBACK[] = "ROLLBACK";

/* The same text with other parameter types (a bare NULL has none) is another statement: the server fixes types when it
 * prepares. */
struct statement {
    const char *sql; /* compared by address */
    int param_count;
    Oid types[SL_PG_PARAMS_MAX];
    bool sent; /* its Parse is in the pipeline under way */
    bool prepared;
};

struct queued {
    const char *sql;
    struct sl_pg_params params;
};

struct sl_pg {
    PGconn *conn;
    bool lost;
    size_t statement_count;
    struct statement statements[STATEMENTS_MAX];
    size_t queued;
    struct queued queue[SL_PG_PIPELINE_MAX];
};

/* One answer that the pipeline waits for: to a Parse (`prepares` set), or to an execution. */
struct step {
    size_t index; /* in the queue */
    struct statement *prepares;
};

struct steps {
    size_t count;
    struct step items[2 * SL_PG_PIPELINE_MAX];
};

static void session_check(const struct sl_pg *pg)
{
    SL_ASSERT(pg->queued <= SL_PG_PIPELINE_MAX && pg->statement_count <= STATEMENTS_MAX);
    SL_ASSERT(pg->lost || PQpipelineStatus(pg->conn) == PQ_PIPELINE_OFF);
}

struct sl_pg *sl_pg_open(const char *url, const char *application_name, int timeout_ms, struct sl_err *err)
{
    PGconn *conn = sl_pg_connect(url, application_name, timeout_ms, err);
    if (conn == NULL) {
        return NULL;
    }
    struct sl_pg *pg = sl_calloc(1, sizeof(*pg));
    pg->conn = conn;
    return pg;
}

void sl_pg_close(struct sl_pg *pg)
{
    if (pg != NULL) {
        PQfinish(pg->conn);
        free(pg);
    }
}

bool sl_pg_is_usable(const struct sl_pg *pg)
{
    return !pg->lost && PQstatus(pg->conn) == CONNECTION_OK;
}

PGconn *sl_pg_borrow_conn(struct sl_pg *pg)
{
    return pg->conn;
}

/* Gives the session up, and says why if nothing else has been said yet. */
static bool lose(struct sl_pg *pg, const char *reason, struct sl_err *err)
{
    pg->lost = true;
    return sl_pg_lost_err(pg->conn, reason, err);
}

bool sl_pg_queue(struct sl_pg *pg, const char *sql, const struct sl_pg_params *params, struct sl_err *err)
{
    session_check(pg);
    if (!sl_pg_is_usable(pg)) {
        pg->queued = 0;
        return lose(pg, NULL, err);
    }
    if (pg->queued == SL_PG_PIPELINE_MAX) {
        pg->queued = 0;
        return sl_err_set(err, SL_ERR_PERMANENT, "more than %d statements in one pipeline", SL_PG_PIPELINE_MAX);
    }
    struct queued *queued = &pg->queue[pg->queued++];
    queued->sql = sql;
    queued->params.count = 0;
    if (params != NULL) {
        queued->params = *params;
    }
    return true;
}

/* The entry for the text and its types, a new one if need be; NULL when the table is full. */
static struct statement *statement_of(struct sl_pg *pg, const char *sql, const struct sl_pg_params *params)
{
    const size_t types_bytes = (size_t)params->count * sizeof(params->types[0]);
    for (size_t i = 0; i < pg->statement_count; i++) {
        struct statement *statement = &pg->statements[i];
        if (statement->sql == sql && statement->param_count == params->count &&
            memcmp(statement->types, params->types, types_bytes) == 0) {
            return statement;
        }
    }
    if (pg->statement_count == STATEMENTS_MAX) {
        return NULL;
    }
    struct statement *statement = &pg->statements[pg->statement_count++];
    statement->sql = sql;
    statement->param_count = params->count;
    memcpy(statement->types, params->types, types_bytes);
    return statement;
}

static void statement_name(const struct sl_pg *pg, const struct statement *statement, char name[STATEMENT_NAME_BYTES])
{
    (void)snprintf(name, STATEMENT_NAME_BYTES, "s%td", statement - pg->statements);
}

static bool send_one(struct sl_pg *pg, size_t index, struct steps *steps)
{
    const struct queued *queued = &pg->queue[index];
    const struct sl_pg_params *params = &queued->params;
    struct statement *statement = statement_of(pg, queued->sql, params);
    if (statement == NULL) {
        steps->items[steps->count++] = (struct step){.index = index};
        return PQsendQueryParams(pg->conn, queued->sql, params->count, params->types, params->values, params->lengths,
                                 params->formats, 1) == 1;
    }
    char name[STATEMENT_NAME_BYTES];
    statement_name(pg, statement, name);
    if (!statement->prepared && !statement->sent) {
        if (PQsendPrepare(pg->conn, name, queued->sql, params->count, params->types) != 1) {
            return false;
        }
        statement->sent = true;
        steps->items[steps->count++] = (struct step){.index = index, .prepares = statement};
    }
    steps->items[steps->count++] = (struct step){.index = index};
    return PQsendQueryPrepared(pg->conn, name, params->count, params->values, params->lengths, params->formats, 1) == 1;
}

static bool send_all(struct sl_pg *pg, struct steps *steps)
{
    if (PQenterPipelineMode(pg->conn) != 1) {
        return false;
    }
    for (size_t i = 0; i < pg->queued; i++) {
        if (!send_one(pg, i, steps)) {
            return false;
        }
    }
    return PQpipelineSync(pg->conn) == 1;
}

/* The next result, or NULL in `*ret_result` where libpq gives NULL. Sends what is left to be sent meanwhile. False: the
 * session is lost. */
static bool next_result(struct sl_pg *pg, int64_t deadline_ms, PGresult **ret_result, struct sl_err *err)
{
    while (PQisBusy(pg->conn) == 1 && PQstatus(pg->conn) == CONNECTION_OK) {
        const int unsent = PQflush(pg->conn);
        if (unsent < 0) {
            return lose(pg, NULL, err);
        }
        if (!sl_pg_wait(pg->conn, true, unsent > 0, deadline_ms)) {
            return lose(pg, "no answer within the time allowed", err);
        }
        if (PQconsumeInput(pg->conn) != 1) {
            break; /* PQgetResult has the reason, perhaps the server's own */
        }
    }
    *ret_result = PQgetResult(pg->conn);
    return true;
}

static bool result_ok(const PGresult *result)
{
    const ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
}

/* Whether the statement did what it says. COMMIT of a failed transaction "succeeds" as a ROLLBACK (its Parse has no
 * command status at all: then `executed` is false). */
static bool judge(struct sl_pg *pg, const char *sql, PGresult *result, bool executed, struct sl_err *err)
{
    if (!result_ok(result)) {
        pg->lost = pg->lost || sl_pg_result_is_stale(result) || PQstatus(pg->conn) != CONNECTION_OK;
        return sl_pg_result_err(result, pg->conn, sql, err);
    }
    if (executed && sql == SL_PG_COMMIT && strcmp(PQcmdStatus(result), SL_PG_COMMIT) != 0) {
        return sl_err_set(err, SL_ERR_PERMANENT, "the transaction had failed before its COMMIT");
    }
    return true;
}

/* Reads the answer to one step. `*ok` turns false with the first failure, whose words go to `err`. False: the session
 * is lost. */
static bool receive_step(struct sl_pg *pg, const struct step *step, int64_t deadline_ms, PGresult **results, bool *ok,
                         struct sl_err *err)
{
    struct sl_err *first_err = *ok ? err : NULL;
    PGresult *result = NULL;
    PGresult *end = NULL;
    bool received = next_result(pg, deadline_ms, &result, first_err) && result != NULL;
    if (received) {
        const bool done = judge(pg, pg->queue[step->index].sql, result, step->prepares == NULL, first_err);
        *ok = *ok && done;
        first_err = *ok ? err : NULL;
        received = PQstatus(pg->conn) == CONNECTION_OK && next_result(pg, deadline_ms, &end, first_err) && end == NULL;
        if (step->prepares != NULL) {
            step->prepares->prepared = done;
        } else {
            SL_ASSERT(results[step->index] == NULL);
            results[step->index] = result;
            result = NULL;
        }
    }
    PQclear(result);
    PQclear(end);
    if (!received) {
        if (*ok && !pg->lost) {
            (void)lose(pg, PQstatus(pg->conn) == CONNECTION_OK ? "its answers are out of step" : NULL, err);
        }
        pg->lost = true;
        *ok = false;
    }
    return received;
}

/* The answer to the sync at the end, and out of pipeline mode. */
static bool receive_sync(struct sl_pg *pg, int64_t deadline_ms, struct sl_err *err)
{
    PGresult *result = NULL;
    if (!next_result(pg, deadline_ms, &result, err)) {
        return false;
    }
    const bool in_step = PQresultStatus(result) == PGRES_PIPELINE_SYNC && PQexitPipelineMode(pg->conn) == 1;
    PQclear(result);
    if (in_step) {
        return true;
    }
    return lose(pg, PQstatus(pg->conn) == CONNECTION_OK ? "its answers are out of step" : NULL, err);
}

static bool receive_all(struct sl_pg *pg, const struct steps *steps, PGresult **results, struct sl_err *err)
{
    const int64_t deadline_ms = sl_clock_mono_ms() + PIPELINE_TIMEOUT_MS;
    bool ok = true;
    for (size_t i = 0; i < steps->count; i++) {
        if (!receive_step(pg, &steps->items[i], deadline_ms, results, &ok, err)) {
            return false;
        }
    }
    const bool synced = receive_sync(pg, deadline_ms, ok ? err : NULL);
    return ok && synced;
}

bool sl_pg_flush(struct sl_pg *pg, PGresult **ret_results, size_t count, struct sl_err *err)
{
    session_check(pg);
    SL_ASSERT(count == pg->queued);
    if (!sl_pg_is_usable(pg)) {
        pg->queued = 0;
        return lose(pg, NULL, err);
    }
    if (count == 0) {
        return true;
    }
    if (sl_fault_fails("pg.flush")) {
        pg->queued = 0;
        return lose(pg, "a fault point", err);
    }
    struct steps steps = {.count = 0};
    PGresult *results[SL_PG_PIPELINE_MAX] = {NULL};
    bool ok = send_all(pg, &steps) || lose(pg, NULL, err);
    ok = ok && receive_all(pg, &steps, results, err);
    if (ok && sl_fault_fails("pg.answer")) {
        ok = lose(pg, "a fault point", err);
    }
    for (size_t i = 0; i < pg->statement_count; i++) {
        pg->statements[i].sent = false;
    }
    pg->queued = 0;
    for (size_t i = 0; i < count; i++) {
        if (ok && ret_results != NULL) {
            ret_results[i] = results[i];
        } else {
            PQclear(results[i]);
        }
    }
    session_check(pg);
    return ok;
}

bool sl_pg_run(struct sl_pg *pg, const char *sql, const struct sl_pg_params *params, PGresult **ret_result,
               struct sl_err *err)
{
    SL_ASSERT(pg->queued == 0);
    return sl_pg_queue(pg, sql, params, err) && sl_pg_flush(pg, ret_result, 1, err);
}

bool sl_pg_script(struct sl_pg *pg, const char *sql, struct sl_err *err)
{
    session_check(pg);
    SL_ASSERT(pg->queued == 0);
    if (!sl_pg_is_usable(pg) || PQsendQuery(pg->conn, sql) != 1) {
        return lose(pg, NULL, err);
    }
    bool ok = true;
    for (;;) {
        PGresult *result = NULL;
        if (!next_result(pg, NO_DEADLINE, &result, ok ? err : NULL)) {
            return false;
        }
        if (result == NULL) {
            break;
        }
        const bool copies = PQresultStatus(result) == PGRES_COPY_IN || PQresultStatus(result) == PGRES_COPY_OUT ||
                            PQresultStatus(result) == PGRES_COPY_BOTH;
        const bool done = judge(pg, sql, result, true, ok ? err : NULL);
        ok = ok && done;
        PQclear(result);
        if (copies) { /* libpq would offer it again for ever */
            return lose(pg, "COPY has no place in a script", err);
        }
    }
    if (PQstatus(pg->conn) != CONNECTION_OK) {
        return lose(pg, NULL, ok ? err : NULL);
    }
    return ok;
}

void sl_pg_rollback(struct sl_pg *pg)
{
    pg->queued = 0;
    if (sl_pg_is_usable(pg) && PQtransactionStatus(pg->conn) != PQTRANS_IDLE &&
        !sl_pg_run(pg, SL_PG_ROLLBACK, NULL, NULL, NULL)) {
        pg->lost = true; /* nobody must go on inside that transaction */
    }
}
