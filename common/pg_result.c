/* pg_result.c - reading binary results, and what an error result means.
 *
 * SQLSTATE classes are those of PostgreSQL's manual, appendix A "PostgreSQL Error Codes". Pure: no I/O, any thread.
 */
#include <stdlib.h>
#include <string.h>

#include "common/pg_internal.h"

#define SQL_SHOWN_BYTES 100

void sl_pg_clear(PGresult **result)
{
    PQclear(*result);
    *result = NULL;
}

bool sl_pg_is_null(const PGresult *result, int row, int column)
{
    SL_ASSERT(row >= 0 && row < PQntuples(result) && column >= 0 && column < PQnfields(result));
    return PQgetisnull(result, row, column) == 1;
}

/* The bytes of a field that is not NULL. */
static const uint8_t *field(const PGresult *result, int row, int column, size_t *ret_len)
{
    SL_ASSERT(PQfformat(result, column) == 1);
    *ret_len = (size_t)PQgetlength(result, row, column);
    return (const uint8_t *)PQgetvalue(result, row, column);
}

static uint64_t get_be(const uint8_t *bytes, size_t len)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

static bool is_textual(Oid type)
{
    static const Oid TEXTUAL[] = {SL_PG_OID_BYTEA, SL_PG_OID_NAME,   SL_PG_OID_TEXT,    SL_PG_OID_JSON,
                                  SL_PG_OID_JSONB, SL_PG_OID_BPCHAR, SL_PG_OID_VARCHAR, SL_PG_OID_UNKNOWN};
    for (size_t i = 0; i < SL_ARRAY_LEN(TEXTUAL); i++) {
        if (TEXTUAL[i] == type) {
            return true;
        }
    }
    return type >= SL_PG_OID_FIRST_USER;
}

struct sl_str sl_pg_get_text(const PGresult *result, int row, int column)
{
    if (sl_pg_is_null(result, row, column)) {
        return SL_STR_NONE;
    }
    size_t len = 0;
    const uint8_t *bytes = field(result, row, column, &len);
    const Oid type = PQftype(result, column);
    SL_ASSERT(is_textual(type));
    if (type == SL_PG_OID_JSONB) {
        SL_ASSERT(len >= 1 && bytes[0] == SL_PG_JSONB_VERSION);
        bytes++;
        len--;
    }
    return (struct sl_str){.ptr = (const char *)bytes, .len = len};
}

int64_t sl_pg_get_int(const PGresult *result, int row, int column)
{
    if (sl_pg_is_null(result, row, column)) {
        return 0;
    }
    size_t len = 0;
    const uint8_t *bytes = field(result, row, column, &len);
    SL_ASSERT(len == 2 || len == 4 || len == 8);
    const uint64_t value = get_be(bytes, len);
    if (len == 2) {
        return (int16_t)value;
    }
    return len == 4 ? (int32_t)value : (int64_t)value;
}

bool sl_pg_get_bool(const PGresult *result, int row, int column)
{
    if (sl_pg_is_null(result, row, column)) {
        return false;
    }
    size_t len = 0;
    const uint8_t *bytes = field(result, row, column, &len);
    SL_ASSERT(len == 1);
    return bytes[0] != 0;
}

struct sl_uuid sl_pg_get_uuid(const PGresult *result, int row, int column)
{
    struct sl_uuid uuid = {0};
    if (!sl_pg_is_null(result, row, column)) {
        size_t len = 0;
        const uint8_t *bytes = field(result, row, column, &len);
        SL_ASSERT(len == sizeof(uuid.bytes));
        memcpy(uuid.bytes, bytes, sizeof(uuid.bytes));
    }
    return uuid;
}

int64_t sl_pg_get_at_ms(const PGresult *result, int row, int column)
{
    if (sl_pg_is_null(result, row, column)) {
        return 0;
    }
    size_t len = 0;
    const uint8_t *bytes = field(result, row, column, &len);
    SL_ASSERT(len == 8);
    const int64_t us = (int64_t)get_be(bytes, len);
    const int64_t ms = us / 1000 - (us % 1000 < 0 ? 1 : 0); /* towards the past, also before 2000 */
    /* The ends stand for ±infinity too. */
    if (ms > SL_PG_AT_MS_MAX - SL_PG_EPOCH_MS) {
        return SL_PG_AT_MS_MAX;
    }
    if (ms < SL_PG_AT_MS_MIN - SL_PG_EPOCH_MS) {
        return SL_PG_AT_MS_MIN;
    }
    return ms + SL_PG_EPOCH_MS;
}

int64_t sl_pg_affected(const PGresult *result)
{
    PGresult *unconst = (PGresult *)(uintptr_t)result; /* PQcmdTuples only reads, and lacks a const */
    return strtoll(PQcmdTuples(unconst), NULL, 10);
}

/* First match by prefix. What is not here is the statement's or the data's own fault. */
static const struct {
    const char *prefix;
    enum sl_err_class error_class;
} SQLSTATES[] = {
    {"08", SL_ERR_RETRY},    /* connection exceptions */
    {"25006", SL_ERR_RETRY}, /* read-only: a standby, in the middle of a failover */
    {"25P03", SL_ERR_RETRY}, /* idle in transaction for too long */
    {"26000", SL_ERR_RETRY}, /* a prepared statement is gone: a pooler, or DISCARD ALL */
    {"28", SL_ERR_PERMANENT}, {"3D", SL_ERR_PERMANENT}, {"40001", SL_ERR_RETRY}, /* serialisation failure */
    {"40003", SL_ERR_RETRY},                                                     /* completion unknown */
    {"40P01", SL_ERR_RETRY},                                                     /* deadlock */
    {"53", SL_ERR_RETRY},                                                        /* connections, memory, disk */
    {"55P03", SL_ERR_RETRY},                                                     /* lock not available */
    {"57014", SL_ERR_RETRY},                                                     /* cancelled: statement_timeout */
    {"57P0", SL_ERR_RETRY}, /* shutting down, crashed, starting up */
    {"58", SL_ERR_RETRY},   /* the server's files and disks */
};

enum sl_err_class sl_pg_sqlstate_class(const char *sqlstate)
{
    if (sqlstate[0] == '\0') {
        return SL_ERR_RETRY;
    }
    for (size_t i = 0; i < SL_ARRAY_LEN(SQLSTATES); i++) {
        if (strncmp(sqlstate, SQLSTATES[i].prefix, strlen(SQLSTATES[i].prefix)) == 0) {
            return SQLSTATES[i].error_class;
        }
    }
    return SL_ERR_PERMANENT;
}

static const char *error_field(const PGresult *result, int code)
{
    const char *text = PQresultErrorField(result, code);
    return text != NULL ? text : "";
}

bool sl_pg_result_is_stale(const PGresult *result)
{
    const char *sqlstate = error_field(result, PG_DIAG_SQLSTATE);
    /* "cached plan must not change result type", after a migration: only the source function tells it from other 0A000
     */
    return strcmp(sqlstate, "26000") == 0 ||
           (strcmp(sqlstate, "0A000") == 0 &&
            strcmp(error_field(result, PG_DIAG_SOURCE_FUNCTION), "RevalidateCachedQuery") == 0);
}

/* libpq ends its messages with a newline. */
static int trimmed_len(const char *text)
{
    size_t len = strlen(text);
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' ')) {
        len--;
    }
    return (int)len;
}

bool sl_pg_lost_err(const PGconn *conn, const char *reason, struct sl_err *err)
{
    (void)sl_err_set(err, SL_ERR_RETRY, "the connection to Postgres is lost");
    const char *text = reason != NULL ? reason : PQerrorMessage(conn);
    sl_err_detail(err, "%.*s", trimmed_len(text), text);
    return false;
}

bool sl_pg_result_err(const PGresult *result, const PGconn *conn, const char *sql, struct sl_err *err)
{
    const char *sqlstate = error_field(result, PG_DIAG_SQLSTATE);
    if (sqlstate[0] == '\0' && PQstatus(conn) == CONNECTION_BAD) {
        return sl_pg_lost_err(conn, NULL, err);
    }
    const enum sl_err_class error_class = sl_pg_result_is_stale(result) ? SL_ERR_RETRY : sl_pg_sqlstate_class(sqlstate);
    const char *primary = error_field(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *text = primary[0] != '\0' ? primary : PQresultErrorMessage(result);
    const char *detail = error_field(result, PG_DIAG_MESSAGE_DETAIL);
    (void)sl_err_set(err, error_class, "Postgres: %.*s", trimmed_len(text), text);
    sl_err_code(err, sqlstate);
    sl_err_detail(err, "%s%sin: %.*s", detail, detail[0] != '\0' ? "; " : "", SQL_SHOWN_BYTES, sql);
    sl_err_hint(err, "%s", error_field(result, PG_DIAG_MESSAGE_HINT));
    return false;
}
