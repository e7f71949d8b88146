/* pg.h - a Postgres session over libpq: pipelines, transactions, errors by class, arrays for unnest.
 *
 * A session belongs to one thread. Statements are prepared by their first use and remembered by the address of their
 * text, which must therefore be a static const string. A pipeline sends a number of statements in one go; results
 * come back in order, and after the first failing one the rest are aborted by the server. A pipeline without
 * SL_PG_BEGIN is a transaction of its own.
 */
#ifndef SL_PG_H
#define SL_PG_H

#include <libpq-fe.h>

#include "common/arena.h"
#include "common/err.h"
#include "common/uuid.h"

struct sl_pg;

/* Connects, with application_name, statement_timeout (30 s), search_path sluice,public and TCP keepalives, unless the
 * URL says otherwise; blocks for `timeout_ms` at most, and for the look-up of the host's name. RETRY when the server
 * is away or starting, PERMANENT when it refuses (password, unknown database). Close with sl_pg_close (accepts NULL).
 */
SL_MUST_CHECK struct sl_pg *sl_pg_open(const char *url, const char *application_name, int timeout_ms,
                                       struct sl_err *err);
void sl_pg_close(struct sl_pg *pg);
/* False once the connection is lost or given up; the owner closes and opens again. */
bool sl_pg_is_usable(const struct sl_pg *pg);
/* For libpq's own calls between ours; to be left idle, as it was found. */
PGconn *sl_pg_borrow_conn(struct sl_pg *pg);

/* Parameters are copied into an arena, which lives until they are sent: all in binary format. At most
 * SL_PG_PARAMS_MAX (asserted). Times are clamped to the years 1 to 9999. */
#define SL_PG_PARAMS_MAX 40
struct sl_pg_params {
    struct sl_arena *arena;
    int count;
    Oid types[SL_PG_PARAMS_MAX];
    const char *values[SL_PG_PARAMS_MAX];
    int lengths[SL_PG_PARAMS_MAX];
    int formats[SL_PG_PARAMS_MAX];
};
void sl_pg_params_init(struct sl_pg_params *params, struct sl_arena *arena);
void sl_pg_text(struct sl_pg_params *params, struct sl_str value);         /* empty is the empty text */
void sl_pg_text_or_null(struct sl_pg_params *params, struct sl_str value); /* empty is NULL */
void sl_pg_int8(struct sl_pg_params *params, int64_t value);
void sl_pg_int4(struct sl_pg_params *params, int32_t value);
void sl_pg_bool(struct sl_pg_params *params, bool value);
void sl_pg_uuid(struct sl_pg_params *params, struct sl_uuid value);
void sl_pg_bytea(struct sl_pg_params *params, struct sl_str value);
void sl_pg_jsonb(struct sl_pg_params *params, struct sl_str value); /* empty is NULL */
void sl_pg_null(struct sl_pg_params *params);

/* One-dimensional arrays for `unnest`: declare, append, add as a parameter; nothing is appended afterwards. An
 * appended NULL is a NULL element; no element makes an empty array. Another type than the array's, or an int4 out of
 * range: asserted. */
enum sl_pg_type {
    SL_PG_TEXT = 1,
    SL_PG_INT8,
    SL_PG_INT4,
    SL_PG_BOOL,
    SL_PG_UUID,
    SL_PG_BYTEA,
    SL_PG_JSONB,
    SL_PG_TIMESTAMPTZ
};
struct sl_pg_array;
SL_MUST_CHECK struct sl_pg_array *sl_pg_array_create(struct sl_arena *arena, enum sl_pg_type type);
void sl_pg_array_text(struct sl_pg_array *array, struct sl_str value);         /* TEXT, BYTEA, JSONB */
void sl_pg_array_text_or_null(struct sl_pg_array *array, struct sl_str value); /* empty is NULL */
void sl_pg_array_int(struct sl_pg_array *array, int64_t value);                /* INT8, INT4 */
void sl_pg_array_bool(struct sl_pg_array *array, bool value);
void sl_pg_array_uuid(struct sl_pg_array *array, struct sl_uuid value);
void sl_pg_array_uuid_or_null(struct sl_pg_array *array, struct sl_uuid value); /* nil is NULL */
void sl_pg_array_at_ms_or_null(struct sl_pg_array *array, int64_t at_ms);       /* TIMESTAMPTZ; 0 is NULL */
void sl_pg_array_null(struct sl_pg_array *array);
size_t sl_pg_array_count(const struct sl_pg_array *array);
void sl_pg_array(struct sl_pg_params *params, struct sl_pg_array *array);
/* A timestamptz parameter from Unix milliseconds; 0 is NULL. */
void sl_pg_at_ms(struct sl_pg_params *params, int64_t at_ms);

/* One statement outside a pipeline, nothing being queued (asserted). `params` may be NULL. The result is in binary
 * format and the caller's (PQclear, or SL_PG_AUTO); `ret_result` NULL drops it. */
SL_MUST_CHECK bool sl_pg_run(struct sl_pg *pg, const char *sql, const struct sl_pg_params *params,
                             PGresult **ret_result, struct sl_err *err);
/* Several statements without parameters, as a script (migrations): one transaction unless it says otherwise. Waits
 * without limit, but for the server's statement_timeout; a script that needs longer sets that itself. */
SL_MUST_CHECK bool sl_pg_script(struct sl_pg *pg, const char *sql, struct sl_err *err);

/* A pipeline: queue any number (at most SL_PG_PIPELINE_MAX), then flush once. The struct of the parameters is copied,
 * their arena must live until the flush. A failure drops what was queued. */
#define SL_PG_PIPELINE_MAX 64
SL_MUST_CHECK bool sl_pg_queue(struct sl_pg *pg, const char *sql, const struct sl_pg_params *params,
                               struct sl_err *err);
/* Sends what is queued (`count` statements, asserted), with one sync at the end, and waits for all, 60 s at most. On
 * success `ret_results[0..count)` are the caller's, in the order of the queueing (NULL: dropped). On failure none is,
 * and `err` names the first failing statement (RETRY: connection, serialisation, deadlock, resources; PERMANENT:
 * data, constraints, syntax). After a failure that leaves the session unusable, what the pipeline did is unknown, its
 * COMMIT included. */
SL_MUST_CHECK bool sl_pg_flush(struct sl_pg *pg, PGresult **ret_results, size_t count, struct sl_err *err);

/* The transaction's ends, queued like any statement or run alone by sl_pg_run. A COMMIT that the server turns into a
 * rollback fails. */
extern const char SL_PG_BEGIN[];
extern const char SL_PG_COMMIT[];
extern const char SL_PG_ROLLBACK[];
/* After a failure inside a transaction: drops what is queued and rolls back what is open. A lost connection is no
 * error here; a session that can't roll back becomes unusable. */
void sl_pg_rollback(struct sl_pg *pg);

#define SL_PG_AUTO SL_CLEANUP(sl_pg_clear) PGresult
void sl_pg_clear(PGresult **result);

/* Fields of a binary result; text is borrowed from the result, NULL reads as empty, 0, false or nil. A column of
 * another type is the statement's mistake (asserted). */
/* text, bytea, and jsonb without its version byte */
struct sl_str sl_pg_get_text(const PGresult *result, int row, int column);
int64_t sl_pg_get_int(const PGresult *result, int row, int column); /* int2, int4, int8 */
bool sl_pg_get_bool(const PGresult *result, int row, int column);
struct sl_uuid sl_pg_get_uuid(const PGresult *result, int row, int column);
/* timestamptz as Unix milliseconds, clamped as above; NULL is 0 */
int64_t sl_pg_get_at_ms(const PGresult *result, int row, int column);
bool sl_pg_is_null(const PGresult *result, int row, int column);
/* Rows that an INSERT, UPDATE or DELETE touched. */
int64_t sl_pg_affected(const PGresult *result);

/* Calls `visit` for each file that the URL names (sslrootcert, sslcert, sslkey, sslcrl, sslcrldir, passfile); none
 * where the URL can't be read. The path is borrowed. Any thread. */
void sl_pg_files(const char *url, void (*visit)(void *arg, const char *path), void *arg);

/* SQLSTATE to class; "" (no answer: connection lost) is RETRY. */
enum sl_err_class sl_pg_sqlstate_class(const char *sqlstate);

#endif
