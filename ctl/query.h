/* query.h - Postgres for sluicectl: text-format queries over one session, printed as a table or as JSON. */
#ifndef CTL_QUERY_H
#define CTL_QUERY_H

#include <libpq-fe.h>

#include "common/pg.h"
#include "ctl/ctl.h"

#define QUERY_PARAMS_MAX 10

/* The session, opened on first use; RETRY when the server is away. Borrowed from `ctl`. */
SL_MUST_CHECK struct sl_pg *query_session(struct ctl *ctl, struct sl_err *err);
void query_close(struct ctl *ctl);

/* Parameters are text; NULL is NULL. The result is in text format and the caller's. */
SL_MUST_CHECK bool query_run(struct ctl *ctl, const char *sql, const char *const *values, int value_count,
                             PGresult **ret_result, struct sl_err *err);
/* The rows as a table, or as one JSON array with --json. Gives how many rows there were, or -1. */
SL_MUST_CHECK int query_print(struct ctl *ctl, const char *sql, const char *const *values, int value_count,
                              const char *empty_note, struct sl_err *err);
/* The rows as JSON text in `ret_json` (free it with free()). */
SL_MUST_CHECK bool query_json(struct ctl *ctl, const char *sql, const char *const *values, int value_count,
                              char **ret_json, struct sl_err *err);

#endif
