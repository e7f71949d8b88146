/* ledger.c - see ledger.h. */
#include "worker/repair/ledger.h"

#include <stdlib.h>

#define ARENA_BYTES_MAX ((size_t)1024 * 1024 * 1024)
#define CONFIRMED_MAX   200 /* servers that are asked for one by one before they count as missing */

static const char LOCK[] = "SELECT pg_try_advisory_lock(hashtext('sluice.reconcile'))";
static const char UNLOCK[] = "SELECT pg_advisory_unlock(hashtext('sluice.reconcile'))";

/* Before anything is asked: a look that breaks off is not due again at once, with all that its lists cost. */
static const char TRY[] =
    "INSERT INTO sluice.looks (cloud, tried_at, problem) VALUES ('hetzner', now(), 'not looked at yet')"
    " ON CONFLICT (cloud) DO UPDATE SET tried_at = excluded.tried_at";
static const char WRITE[] =
    "INSERT INTO sluice.findings AS f (finding, cloud, resource_id, name, agent_id, user_id, detail, mend, books,"
    " cost_per_day, currency, first_seen, last_seen)"
    " SELECT finding, cloud, resource_id, name, agent_id, user_id, detail, mend, books, nullif(cost, '')::numeric,"
    " CASE WHEN cost <> '' THEN $11 END, $12, $12"
    " FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::text[],"
    " $9::text[], $10::text[])"
    " AS n (finding, cloud, resource_id, name, agent_id, user_id, detail, mend, books, cost)"
    " ON CONFLICT (finding, cloud, resource_id) DO UPDATE SET name = excluded.name, agent_id = excluded.agent_id,"
    " user_id = excluded.user_id, detail = excluded.detail, mend = excluded.mend, books = excluded.books,"
    " cost_per_day = excluded.cost_per_day, currency = excluded.currency, last_seen = excluded.last_seen,"
    " looks = CASE WHEN f.gone_at IS NULL AND f.books = excluded.books THEN f.looks + 1 ELSE 1 END,"
    " first_seen = CASE WHEN f.gone_at IS NULL AND f.books = excluded.books THEN f.first_seen"
    "  ELSE excluded.first_seen END, gone_at = NULL, fixed_at = NULL";
static const char CLOSE[] =
    "UPDATE sluice.findings SET gone_at = $2, fixed_at = CASE WHEN fix_asked_at >= first_seen THEN $2 END"
    " WHERE gone_at IS NULL AND cloud = ANY($1) AND last_seen < $2";
static const char NOTE[] =
    "INSERT INTO sluice.looks AS l (cloud, tried_at, seen_at, resources, problem)"
    " SELECT cloud, $4, CASE WHEN problem = '' THEN $4 END, resources, nullif(problem, '')"
    " FROM unnest($1::text[], $2::int[], $3::text[]) AS n (cloud, resources, problem)"
    " ON CONFLICT (cloud) DO UPDATE SET tried_at = excluded.tried_at, problem = excluded.problem,"
    " seen_at = coalesce(excluded.seen_at, l.seen_at),"
    " resources = CASE WHEN excluded.seen_at IS NULL THEN l.resources ELSE excluded.resources END";
static const char PRUNE[] = "DELETE FROM sluice.findings WHERE gone_at < now() - interval '90 days'";

static bool queue_findings(struct sl_pg *pg, const struct look *look, struct sl_err *err)
{
    struct sl_pg_array *texts[9];
    struct sl_pg_array *agents = sl_pg_array_create(look->arena, SL_PG_UUID);
    for (size_t i = 0; i < SL_ARRAY_LEN(texts); i++)
        texts[i] = sl_pg_array_create(look->arena, SL_PG_TEXT);
    for (size_t i = 0; i < look->findings.count; i++) {
        const struct finding *finding = &look->findings.items[i];
        const struct book *book = finding->book;
        struct sl_str cost =
            finding->cost_per_day < 0 ? SL_STR_NONE : sl_arena_printf(look->arena, "%.4f", finding->cost_per_day);
        sl_pg_array_text(texts[0], sl_str_of(finding_kind_name(finding->kind)));
        sl_pg_array_text(texts[1], sl_str_of(cloud_of(finding->cloud)->name));
        sl_pg_array_text(texts[2], finding->resource_id);
        sl_pg_array_text(texts[3], finding->name);
        sl_pg_array_uuid_or_null(agents, book ? book->agent_id : (struct sl_uuid){.bytes = {0}});
        sl_pg_array_text_or_null(texts[4], book ? book->user_id : SL_STR_NONE);
        sl_pg_array_text(texts[5], sl_str_of(finding->detail));
        sl_pg_array_text_or_null(texts[6], sl_str_of(finding->mend));
        sl_pg_array_text(texts[7], book ? book->digest : SL_STR("none"));
        sl_pg_array_text(texts[8], cost);
    }
    struct sl_pg_params params;
    sl_pg_params_init(&params, look->arena);
    for (size_t i = 0; i < 4; i++)
        sl_pg_array(&params, texts[i]);
    sl_pg_array(&params, agents);
    for (size_t i = 4; i < SL_ARRAY_LEN(texts); i++)
        sl_pg_array(&params, texts[i]);
    sl_pg_text_or_null(&params, sl_str_of(look->sights.currency));
    sl_pg_at_ms(&params, look->began_at_ms);
    return sl_pg_queue(pg, WRITE, &params, err);
}

static int resources_of(const struct sights *sights, enum cloud_id cloud)
{
    int count = 0;
    for (size_t i = 0; i < sights->count; i++)
        count += sights->items[i].cloud == cloud;
    return count;
}

static bool queue_looks(struct sl_pg *pg, const struct look *look, struct sl_err *err)
{
    static const enum cloud_id clouds[] = {CLOUD_HETZNER, CLOUD_TAILSCALE, CLOUD_PROVISIONER};
    struct sl_pg_array *names = sl_pg_array_create(look->arena, SL_PG_TEXT);
    struct sl_pg_array *seen = sl_pg_array_create(look->arena, SL_PG_TEXT);
    struct sl_pg_array *counts = sl_pg_array_create(look->arena, SL_PG_INT4);
    struct sl_pg_array *problems = sl_pg_array_create(look->arena, SL_PG_TEXT);
    for (size_t i = 0; i < SL_ARRAY_LEN(clouds); i++) {
        struct sl_str name = sl_str_of(cloud_of(clouds[i])->name);
        bool is_seen = look->sights.is_seen[clouds[i]];
        sl_pg_array_text(names, name);
        sl_pg_array_int(counts, resources_of(&look->sights, clouds[i]));
        sl_pg_array_text(problems, is_seen ? SL_STR_NONE : sl_str_of(look->sights.problems[clouds[i]].message));
        if (is_seen)
            sl_pg_array_text(seen, name);
    }
    struct sl_pg_params closing;
    struct sl_pg_params noting;
    sl_pg_params_init(&closing, look->arena);
    sl_pg_array(&closing, seen);
    sl_pg_at_ms(&closing, look->began_at_ms);
    sl_pg_params_init(&noting, look->arena);
    sl_pg_array(&noting, names);
    sl_pg_array(&noting, counts);
    sl_pg_array(&noting, problems);
    sl_pg_at_ms(&noting, look->began_at_ms);
    return sl_pg_queue(pg, CLOSE, &closing, err) && sl_pg_queue(pg, NOTE, &noting, err) &&
           sl_pg_queue(pg, PRUNE, NULL, err);
}

static bool write_down(struct sl_pg *pg, const struct look *look, struct sl_err *err)
{
    PGresult *results[6] = {NULL};
    if (!sl_pg_queue(pg, SL_PG_BEGIN, NULL, err) || !queue_findings(pg, look, err) || !queue_looks(pg, look, err) ||
        !sl_pg_queue(pg, SL_PG_COMMIT, NULL, err) || !sl_pg_flush(pg, results, SL_ARRAY_LEN(results), err)) {
        sl_pg_rollback(pg);
        return false;
    }
    for (size_t i = 0; i < SL_ARRAY_LEN(results); i++)
        PQclear(results[i]);
    return true;
}

/* A list whose pages shift while they are turned can leave one out: what it didn't show is asked for by its id. */
static bool confirm_missing(struct ask *ask, struct look *look, struct sl_err *err)
{
    int asked = 0;
    size_t kept = 0;
    for (size_t i = 0; i < look->findings.count; i++) {
        const struct finding *finding = &look->findings.items[i];
        bool is_gone = true;
        bool is_doubtful = finding->kind == FINDING_MISSING && finding->cloud == CLOUD_HETZNER;
        if (is_doubtful && asked++ >= CONFIRMED_MAX)
            return sl_err_set(err, SL_ERR_PERMANENT, "hetzner: more than %d servers of agents are not in its list",
                              CONFIRMED_MAX);
        if (is_doubtful && !sights_confirm_gone(ask, finding->resource_id, &is_gone, err))
            return false;
        if (is_gone)
            look->findings.items[kept++] = *finding;
    }
    look->findings.count = kept;
    return true;
}

/* Nothing of a cloud that can't be confirmed is said to be missing. */
static void forget_missing(struct look *look)
{
    size_t kept = 0;
    for (size_t i = 0; i < look->findings.count; i++) {
        const struct finding *finding = &look->findings.items[i];
        if (finding->kind != FINDING_MISSING || finding->cloud != CLOUD_HETZNER)
            look->findings.items[kept++] = *finding;
    }
    look->findings.count = kept;
}

static bool look_locked(struct sl_pg *pg, struct ask *ask, bool record, struct look *look, struct sl_err *err)
{
    struct sl_err *problem = &look->sights.problems[CLOUD_HETZNER];
    if ((record && !sl_pg_run(pg, TRY, NULL, NULL, err)) || !books_begin(pg, &look->began_at_ms, err) ||
        !sights_look(&look->sights, ask, err) ||
        !books_read(pg, look->arena, &look->sights, look->began_at_ms, &look->books, err))
        return false;
    look->findings = compare(&look->sights, &look->books, look->arena);
    if (look->sights.is_seen[CLOUD_HETZNER] && !confirm_missing(ask, look, problem)) {
        look->sights.is_seen[CLOUD_HETZNER] = false;
        forget_missing(look);
    }
    return !record || write_down(pg, look, err);
}

bool ledger_look(struct sl_pg *pg, struct ask *ask, bool record, struct look *ret_look, struct sl_err *err)
{
    struct look look = {.arena = sl_arena_create(ARENA_BYTES_MAX)};
    SL_PG_AUTO *locked = NULL;
    struct sl_err no_matter;
    if (!sl_pg_run(pg, LOCK, NULL, &locked, err)) {
        ledger_look_deinit(&look);
        return false;
    }
    if (!sl_pg_get_bool(locked, 0, 0)) {
        ledger_look_deinit(&look);
        return sl_err_set(err, SL_ERR_RETRY, "another look at the clouds is under way");
    }
    bool ok = look_locked(pg, ask, record, &look, err);
    /* a session that is lost has let go of it */
    bool unlocked = sl_pg_run(pg, UNLOCK, NULL, NULL, &no_matter);
    (void)unlocked;
    if (ok)
        *ret_look = look;
    else
        ledger_look_deinit(&look);
    return ok;
}

void ledger_look_deinit(struct look *look)
{
    sights_deinit(&look->sights);
    sl_arena_destroy(look->arena);
    *look = (struct look){.arena = NULL};
}
