/* query.c - see query.h. */
#include "ctl/query.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/buf.h"
#include "ctl/output.h"

#define CONNECT_TIMEOUT_MS 5000
#define SQL_BYTES_MAX      16384

struct sl_pg *query_session(struct ctl *ctl, struct sl_err *err)
{
    if (!ctl->pg) {
        const char *url = sl_config_cstr(ctl->config, "postgres", "url");
        if (!sl_config_is_set(ctl->config, "postgres", "url")) {
            (void)sl_err_set(err, SL_ERR_PERMANENT, "no database is configured");
            sl_err_hint(err, "set DATABASE_URL, or url in [postgres] of the configuration file");
            return NULL;
        }
        ctl->pg = sl_pg_open(url, "sluicectl", CONNECT_TIMEOUT_MS, err);
    }
    return ctl->pg;
}

void query_close(struct ctl *ctl)
{
    sl_pg_close(ctl->pg);
    ctl->pg = NULL;
}

bool query_run(struct ctl *ctl, const char *sql, const char *const *values, int value_count, PGresult **ret_result,
               struct sl_err *err)
{
    struct sl_pg *pg = query_session(ctl, err);
    if (!pg)
        return false;
    PGconn *conn = sl_pg_borrow_conn(pg);
    PGresult *result = PQexecParams(conn, sql, value_count, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        (void)sl_err_set(err, sl_pg_sqlstate_class(sqlstate ? sqlstate : ""), "Postgres refused the query");
        sl_err_detail(err, "%s", PQerrorMessage(conn));
        if (sqlstate && sl_str_is(sl_str_of(sqlstate), "42P01"))
            sl_err_hint(err, "the schema is not there yet: run sluicectl migrate");
        PQclear(result);
        return false;
    }
    *ret_result = result;
    return true;
}

bool query_json(struct ctl *ctl, const char *sql, const char *const *values, int value_count, char **ret_json,
                struct sl_err *err)
{
    struct sl_buf text;
    sl_buf_init(&text, SQL_BYTES_MAX);
    bool fits = sl_buf_printf(&text, "SELECT coalesce(json_agg(to_json(t)), '[]')::text FROM (%s) t", sql);
    SL_ASSERT(fits);
    PGresult *result = NULL;
    bool ok = query_run(ctl, text.data, values, value_count, &result, err);
    if (ok)
        *ret_json = sl_strdup(PQgetvalue(result, 0, 0));
    PQclear(result);
    sl_buf_deinit(&text);
    return ok;
}

int query_print(struct ctl *ctl, const char *sql, const char *const *values, int value_count, const char *empty_note,
                struct sl_err *err)
{
    if (ctl->options.json) {
        char *json = NULL;
        if (!query_json(ctl, sql, values, value_count, &json, err))
            return -1;
        printf("%s\n", json);
        bool empty = sl_str_is(sl_str_of(json), "[]");
        free(json);
        return empty ? 0 : 1;
    }
    SL_PG_AUTO *result = NULL;
    if (!query_run(ctl, sql, values, value_count, &result, err))
        return -1;
    output_table(result, empty_note);
    return PQntuples(result);
}
