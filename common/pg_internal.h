/* pg_internal.h - what the files pg*.c share and nobody else includes. */
#ifndef SL_PG_INTERNAL_H
#define SL_PG_INTERNAL_H

#include <libpq-fe.h>

#include "common/pg.h"

/* Object ids of built-in types: fixed for ever, from PostgreSQL's src/include/catalog/pg_type.dat. */
enum {
    SL_PG_OID_BOOL = 16,
    SL_PG_OID_BYTEA = 17,
    SL_PG_OID_NAME = 19,
    SL_PG_OID_INT8 = 20,
    SL_PG_OID_INT2 = 21,
    SL_PG_OID_INT4 = 23,
    SL_PG_OID_TEXT = 25,
    SL_PG_OID_JSON = 114,
    SL_PG_OID_UNKNOWN = 705,
    SL_PG_OID_BPCHAR = 1042,
    SL_PG_OID_VARCHAR = 1043,
    SL_PG_OID_TIMESTAMPTZ = 1184,
    SL_PG_OID_UUID = 2950,
    SL_PG_OID_JSONB = 3802,
    SL_PG_OID_FIRST_USER = 16384, /* enums and domains of ours begin here */
};

/* Binary jsonb is this byte and the text: src/backend/utils/adt/jsonb.c, jsonb_send. */
#define SL_PG_JSONB_VERSION 1

/* Binary timestamptz counts microseconds from 2000-01-01: src/include/datatype/timestamp.h. */
#define SL_PG_EPOCH_MS  INT64_C(946684800000)
#define SL_PG_AT_MS_MIN INT64_C(-62135596800000) /* 0001-01-01T00:00:00Z */
#define SL_PG_AT_MS_MAX INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

/* The server cancels a statement after this long, and ends a session whose transaction lies idle: nothing of ours waits
 * inside one, so it is of a process that was stopped, and its locks hold up everybody else. */
#define SL_PG_STATEMENT_TIMEOUT_MS           30000
#define SL_PG_IDLE_IN_TRANSACTION_TIMEOUT_MS 10000

/* A connection in non-blocking mode, ready for statements, or NULL. Thread: any. See sl_pg_open for the errors. */
SL_MUST_CHECK PGconn *sl_pg_connect(const char *url, const char *application_name, int timeout_ms, struct sl_err *err);

/* Waits until the socket can be read (or written too, when `for_write`), or until `deadline_ms` on the monotonic clock;
 * -1: for ever. False when the deadline passed or the socket can't be waited for. */
SL_MUST_CHECK bool sl_pg_wait(PGconn *conn, bool for_read, bool for_write, int64_t deadline_ms);

/* What a result that is an error says, as an error of the statement `sql`. Always false. */
bool sl_pg_result_err(const PGresult *result, const PGconn *conn, const char *sql, struct sl_err *err);
/* The connection is lost (or was given up for `reason`): RETRY with libpq's own words. Always false. */
bool sl_pg_lost_err(const PGconn *conn, const char *reason, struct sl_err *err);
/* True when the error says that this session, not the statement, is unfit for more: its plans or statements are out of
 * date. */
bool sl_pg_result_is_stale(const PGresult *result);

#endif
