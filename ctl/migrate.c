/* migrate.c - sluicectl migrate: brings the schema forward, one migration a transaction, never back.
 *
 * Two at once are serialised by an advisory lock. A migration that ran is remembered with its digest; one that was
 * edited afterwards is refused, because what stands in the database is then not what the file says.
 */
#include <stdio.h>

#include "common/fault.h"
#include "common/sign.h"
#include "ctl/ctl.h"
#include "ctl/migrations.h"
#include "ctl/query.h"

static const char LOCK[] = "SELECT pg_advisory_lock(hashtext('sluice.migrate'))";
static const char PREPARE[] = "CREATE SCHEMA IF NOT EXISTS sluice;"
                              "CREATE TABLE IF NOT EXISTS sluice.schema_migrations ("
                              "    name text PRIMARY KEY, sha256 text NOT NULL,"
                              "    applied_at timestamptz NOT NULL DEFAULT now())";
static const char FIND[] = "SELECT sha256 FROM sluice.schema_migrations WHERE name = $1";
static const char REMEMBER[] = "INSERT INTO sluice.schema_migrations (name, sha256) VALUES ($1, $2)";

/* What the programs' roles may do, said again each time: a role or a table may be new. */
static const char GRANT[] = "SELECT sluice.grant_programs()";

static bool script(struct ctl *ctl, const char *sql, struct sl_err *err)
{
    struct sl_pg *pg = query_session(ctl, err);
    return pg && sl_pg_script(pg, sql, err);
}

static bool apply(struct ctl *ctl, const struct migration *migration, const char *sha256, struct sl_err *err)
{
    const char *values[] = {migration->name, sha256};
    PGresult *result = NULL;
    bool ok = script(ctl, "BEGIN", err) && script(ctl, migration->sql, err) &&
              query_run(ctl, REMEMBER, values, 2, &result, err);
    PQclear(result);
    sl_fault_if(ok, "migrate.before_commit");
    ok = ok && script(ctl, "COMMIT", err);
    sl_fault_if(ok, "migrate.after_commit");
    return ok;
}

/* `*ret_applied` counts those applied (or, in a dry run, due). */
static bool visit(struct ctl *ctl, const struct migration *migration, int *applied, struct sl_err *err)
{
    char sha256[SL_SHA256_HEX_BYTES];
    sl_sign_sha256_hex((struct sl_str){.ptr = migration->sql, .len = migration->bytes}, sha256);
    const char *values[] = {migration->name};
    SL_PG_AUTO *known = NULL;
    if (!query_run(ctl, FIND, values, 1, &known, err))
        return false;
    if (PQntuples(known) == 1) {
        if (sl_str_is(sl_str_of(PQgetvalue(known, 0, 0)), sha256))
            return true;
        (void)sl_err_set(err, SL_ERR_PERMANENT, "migration %s was changed after it was applied", migration->name);
        sl_err_hint(err, "use the release that applied it, or write the change as a new migration");
        return false;
    }
    printf("%s %s\n", ctl->options.dry_run ? "due     " : "applying", migration->name);
    (*applied)++;
    return ctl->options.dry_run || apply(ctl, migration, sha256, err);
}

enum ctl_exit migrate_run(struct ctl *ctl)
{
    struct sl_err err = {0};
    PGresult *locked = NULL;
    int applied = 0;
    bool ok = query_run(ctl, LOCK, NULL, 0, &locked, &err) && script(ctl, PREPARE, &err);
    PQclear(locked);
    for (size_t i = 0; ok && i < MIGRATION_COUNT; i++)
        ok = visit(ctl, &MIGRATIONS[i], &applied, &err);
    ok = ok && (ctl->options.dry_run || script(ctl, GRANT, &err));
    if (!ok)
        return ctl_fail(&err);
    if (ctl->options.dry_run)
        printf("%d of %zu migrations due\n", applied, MIGRATION_COUNT);
    else if (applied == 0)
        printf("the schema is up to date (%zu migrations)\n", MIGRATION_COUNT);
    else
        printf("%d migration%s applied\n", applied, applied == 1 ? "" : "s");
    return CTL_DONE;
}
