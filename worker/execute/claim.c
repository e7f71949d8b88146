/* claim.c - takes queued jobs: the most urgent first, an agent's in the order decided, one provision of a user at a
 * time.
 *
 * One statement for each home cloud, so that a cloud that is full or away holds up no other. A job's first step is
 * recorded in the claim itself, with its intent where it changes something: that saves a commit before the first call.
 */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/fault.h"
#include "common/json.h"
#include "common/log.h"
#include "worker/execute/engine_internal.h"

#define CLAIMS_AT_ONCE_MAX  256
#define ARGS_JSON_BYTES_MAX 65536

#define CLAIMS_OVERDUE_MAX 64
#define OVERDUE_EVERY_MS   250
#define IS_UUID            " ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' "

/* $1..$5: the kinds that may be claimed (kind, backend and op or NULL for any, first step, does it change something);
 * $6 how many; $7 worker; $8 lease in ms. What is older is told by seq; the unique indexes on running and waiting jobs
 * stand behind all of it. The token of a connection goes along where the job's user is (still) a member of its
 * workspace: what was unshared or whose member has left is not there any more. An id that is none must not stop
 * everybody's claims: hence IS_UUID. */
#define CLAIM_WHERE(condition)                                                                                         \
    "WITH kinds AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bool[])"                  \
    "  AS k (kind, backend, op, first_step, mutates)),"                                                                \
    " picked AS ("                                                                                                     \
    "  SELECT j.id, j.step IS NULL AS fresh, k.first_step, k.mutates"                                                  \
    "  FROM sluice.jobs j JOIN kinds k ON k.kind = j.kind AND coalesce(k.backend, j.backend) = j.backend"              \
    "   AND (k.op IS NULL OR k.op = j.args->>'op')"                                                                    \
    "  WHERE j.status = 'queued' AND NOT j.settled AND " condition                                                     \
    "   AND NOT EXISTS (SELECT FROM sluice.jobs o WHERE o.agent_id = j.agent_id AND o.id <> j.id"                      \
    "    AND o.status IN ('queued', 'running', 'waiting') AND (o.seq < j.seq OR o.status <> 'queued'))"                \
    "   AND (j.kind <> 'provision' OR NOT EXISTS (SELECT FROM sluice.jobs o WHERE o.user_id = j.user_id"               \
    "    AND o.kind = 'provision' AND o.id <> j.id AND o.status IN ('queued', 'running', 'waiting')"                   \
    "    AND (o.seq < j.seq OR o.status <> 'queued')))"                                                                \
    "  ORDER BY j.priority, j.seq LIMIT $6 FOR UPDATE OF j SKIP LOCKED),"                                              \
    " claimed AS ("                                                                                                    \
    "  UPDATE sluice.jobs j SET status = 'running', fence = j.fence + 1, worker = $7, updated_at = now(),"             \
    "   lease_until = now() + $8 * interval '1 millisecond', step = coalesce(j.step, p.first_step),"                   \
    "   result = CASE WHEN p.fresh AND p.mutates THEN j.result || jsonb_build_object('intent', p.first_step,"          \
    "    'intent_at_ms', floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) ELSE j.result END"               \
    "  FROM picked p WHERE j.id = p.id"                                                                                \
    "  RETURNING j.*, p.fresh)"                                                                                        \
    " SELECT c.id, c.agent_id, c.user_id, c.kind, c.backend, c.priority, c.args, c.step, c.attempt, c.generation, "    \
    "c.fence,"                                                                                                         \
    "  c.result, c.cancel_requested, c.deadline_at, c.fresh, c.created_at, a.region, a.server_id, a.server_ip,"        \
    "  a.tailscale_device_id, a.tailscale_ip,"                                                                         \
    "  coalesce(p.backend, 'github-actions') = 'github-actions'"                                                       \
    "   AND coalesce(p.step, p.run_id, c.args->>'run_id') IS NOT NULL, p.created_at,"                                  \
    "  coalesce(p.run_id, p.result->>'run_id', c.args->>'run_id'), a.app_name,"                                        \
    "  c.args->>'op', CASE WHEN c.kind = 'graph' THEN (SELECT s.sealed FROM sluice.connections s"                      \
    "   JOIN sluice.workspace_members m ON m.workspace_id = s.workspace_id AND m.user_id = c.user_id"                  \
    "   WHERE s.id = c.args->>'connection_id' AND s.workspace_id ="                                                    \
    "    CASE WHEN c.args->>'workspace_id'" IS_UUID "THEN (c.args->>'workspace_id')::uuid END) END"                    \
    " FROM claimed c LEFT JOIN sluice.agents a ON a.id = c.agent_id"                                                   \
    "  LEFT JOIN sluice.jobs p ON p.id = CASE WHEN c.args->>'provision_job_id'" IS_UUID                                \
    "   THEN (c.args->>'provision_job_id')::uuid END"                                                                  \
    " ORDER BY c.priority, c.seq"

/* Of what ops have paused nothing is claimed; sluice.cloud_of is the recipe's home. */
static const char CLAIM[] =
    CLAIM_WHERE("(j.run_after <= now() OR j.cancel_requested) AND NOT EXISTS (SELECT FROM sluice.paused s"
                " WHERE s.backend IN (j.backend, sluice.cloud_of(j.kind, j.backend)))");
/* Jobs that nobody waits for any longer: taken to be ended, whatever their cloud is like and whenever they were to be
 * tried again. */
static const char CLAIM_OVERDUE[] = CLAIM_WHERE("j.deadline_at <= now()");

enum column {
    COLUMN_ID = 0,
    COLUMN_AGENT_ID,
    COLUMN_USER_ID,
    COLUMN_KIND,
    COLUMN_BACKEND,
    COLUMN_PRIORITY,
    COLUMN_ARGS,
    COLUMN_STEP,
    COLUMN_ATTEMPT,
    COLUMN_GENERATION,
    COLUMN_FENCE,
    COLUMN_RESULT,
    COLUMN_CANCEL_REQUESTED,
    COLUMN_DEADLINE_AT,
    COLUMN_FRESH,
    COLUMN_CREATED_AT,
    COLUMN_REGION,
    COLUMN_SERVER_ID,
    COLUMN_SERVER_IP,
    COLUMN_DEVICE_ID,
    COLUMN_TAILSCALE_IP,
    COLUMN_RUN_MAY_BE,
    COLUMN_RUN_FROM,
    COLUMN_RUN_ID,
    COLUMN_APP_NAME,
    COLUMN_OP,
    COLUMN_SEALED
};

/* `home` CLOUD_NONE: whatever may be given up for want of time. */
static bool queue_claim(struct engine *engine, enum cloud_id home, int count, struct sl_err *err)
{
    struct sl_pg_array *kinds = sl_pg_array_create(engine->arena, SL_PG_TEXT);
    struct sl_pg_array *backends = sl_pg_array_create(engine->arena, SL_PG_TEXT);
    struct sl_pg_array *ops = sl_pg_array_create(engine->arena, SL_PG_TEXT);
    struct sl_pg_array *steps = sl_pg_array_create(engine->arena, SL_PG_TEXT);
    struct sl_pg_array *mutates = sl_pg_array_create(engine->arena, SL_PG_BOOL);
    size_t recipe_count = 0;
    const struct recipe *const *recipes = recipes_all(&recipe_count);
    for (size_t i = 0; i < recipe_count; i++) {
        if (home == CLOUD_NONE ? !recipes[i]->may_cancel : recipes[i]->home != home)
            continue;
        sl_pg_array_text(kinds, sl_str_of(job_kind_name(recipes[i]->kind)));
        sl_pg_array_text_or_null(backends, sl_str_of(recipes[i]->backend));
        sl_pg_array_text_or_null(ops, sl_str_of(recipes[i]->op));
        sl_pg_array_text(steps, sl_str_of(recipes[i]->first));
        sl_pg_array_bool(mutates, recipe_step(recipes[i], sl_str_of(recipes[i]->first))->mutates);
    }
    struct sl_pg_params params;
    sl_pg_params_init(&params, engine->arena);
    sl_pg_array(&params, kinds);
    sl_pg_array(&params, backends);
    sl_pg_array(&params, ops);
    sl_pg_array(&params, steps);
    sl_pg_array(&params, mutates);
    sl_pg_int8(&params, count);
    sl_pg_text(&params, sl_str_of(engine->worker_id));
    sl_pg_int8(&params, engine->settings->lease_ms);
    return sl_pg_queue(engine->pg, home == CLOUD_NONE ? CLAIM_OVERDUE : CLAIM, &params, err);
}

/* The first that isn't empty, if it fits. */
static void choose(char *ret_text, size_t bytes, struct sl_str first, struct sl_str second)
{
    struct sl_str text = sl_str_empty(first) ? second : first;
    if (ret_text[0] == '\0' && text.len < bytes)
        cloud_copy(ret_text, bytes, text);
}

/* What the agent has in the clouds: args, as the rules wrote them, come before its row. */
static void read_targets(struct recipe_job *job, const PGresult *result, int row, const json_t *args)
{
    struct findings *found = &job->found;
    char digits[24];
    choose(found->server_id, sizeof(found->server_id), sl_json_id(args, "server_id", digits),
           sl_pg_get_text(result, row, COLUMN_SERVER_ID));
    choose(found->tailscale_device_id, sizeof(found->tailscale_device_id), sl_json_str(args, "tailscale_device_id"),
           sl_pg_get_text(result, row, COLUMN_DEVICE_ID));
    choose(found->app_name, sizeof(found->app_name), sl_json_str(args, "app_name"),
           sl_pg_get_text(result, row, COLUMN_APP_NAME));
}

static bool read_job(struct flight *flight, const PGresult *result, int row, struct sl_err *err)
{
    struct recipe_job *job = &flight->job;
    SL_JSON_AUTO *args = NULL;
    struct sl_str found_text = sl_pg_get_text(result, row, COLUMN_RESULT);
    bool undoing = flight->recipe->home == CLOUD_HETZNER && !flight->recipe->may_cancel;
    job->id = sl_pg_get_uuid(result, row, COLUMN_ID);
    job->generation = flight->generation;
    job->agent_id = sl_pg_get_uuid(result, row, COLUMN_AGENT_ID);
    sl_uuid_format(job->id, job->id_text);
    if (!sl_uuid_is_nil(job->agent_id))
        sl_uuid_format(job->agent_id, job->agent_text);
    (void)snprintf(job->agent_name, sizeof(job->agent_name), "agent-%s", job->agent_text);
    cloud_copy(job->user_id, sizeof(job->user_id), sl_pg_get_text(result, row, COLUMN_USER_ID));
    if (!sl_json_parse(sl_pg_get_text(result, row, COLUMN_ARGS), ARGS_JSON_BYTES_MAX, &args, err) ||
        !args_read(args, &job->args, err) || !findings_read(found_text, &job->found, err))
        return false;
    /* the claim records the step, and the intent of one that mutates: that is all that a worker leaves which died
     * before its first write */
    bool nothing_found =
        sl_pg_get_bool(result, row, COLUMN_FRESH) || findings_is_intent_alone(&job->found, flight->recipe->first);
    struct sl_str sealed = sl_pg_get_text(result, row, COLUMN_SEALED);
    if (!sl_str_empty(sealed))
        job->sealed = sl_strdup(sl_arena_cstr(flight->engine->arena, sealed));
    choose(job->region, sizeof(job->region), sl_json_str(args, "region"), sl_pg_get_text(result, row, COLUMN_REGION));
    /* steps that ran before know better: an id they cleared is gone */
    if (nothing_found)
        read_targets(job, result, row, args);
    if (undoing && sl_pg_get_bool(result, row, COLUMN_RUN_MAY_BE)) {
        struct sl_str provision = sl_json_str(args, "provision_job_id");
        (void)snprintf(job->run_title, sizeof(job->run_title), "sluice %.36s",
                       sl_arena_cstr(flight->engine->arena, provision));
        job->run_from_ms = sl_pg_get_at_ms(result, row, COLUMN_RUN_FROM);
        if (nothing_found)
            choose(job->found.run_id, sizeof(job->found.run_id), sl_pg_get_text(result, row, COLUMN_RUN_ID),
                   SL_STR_NONE);
    } else if (!undoing) {
        (void)snprintf(job->run_title, sizeof(job->run_title), "sluice %s", job->id_text);
        job->run_from_ms = sl_pg_get_at_ms(result, row, COLUMN_CREATED_AT);
    }
    return true;
}

/* Where it goes on: an open intent is looked at before anything else. */
static void choose_step(struct flight *flight, struct sl_str name, bool fresh)
{
    const struct recipe *recipe = flight->recipe;
    const struct step *step = recipe_step(recipe, name);
    flight->step = step ? step : recipe_step(recipe, sl_str_of(recipe->first));
    const char *intent = flight->job.found.intent;
    flight->intent_committed = fresh && flight->step->mutates;
    if (!fresh && flight->step->mutates && strcmp(intent, flight->step->name) == 0) {
        recipe_left_open(flight->step, &flight->job);
        flight->step = recipe_step(recipe, sl_str_of(flight->step->look));
    }
}

static void take(struct engine *engine, const PGresult *result, int row, int64_t lease_until_mono_ms, bool overdue)
{
    struct sl_err err = {0};
    struct flight *flight = flight_take(&engine->pool);
    SL_ASSERT(flight); /* no more were asked for than are free */
    engine->flying++;
    bool fresh = sl_pg_get_bool(result, row, COLUMN_FRESH);
    int64_t priority = sl_pg_get_int(result, row, COLUMN_PRIORITY);
    flight->recipe = recipe_of(job_kind_parse(sl_pg_get_text(result, row, COLUMN_KIND)),
                               sl_pg_get_text(result, row, COLUMN_BACKEND), sl_pg_get_text(result, row, COLUMN_OP));
    SL_ASSERT(flight->recipe); /* only kinds that have one were asked for */
    flight->step = &flight->recipe->steps[0];
    flight->fence = sl_pg_get_int(result, row, COLUMN_FENCE);
    flight->generation = (int)sl_pg_get_int(result, row, COLUMN_GENERATION);
    flight->attempt = (int)sl_pg_get_int(result, row, COLUMN_ATTEMPT);
    flight->priority = priority < 0 ? 0 : priority >= LIMITER_PRIORITIES ? LIMITER_PRIORITIES - 1 : (int)priority;
    flight->deadline_at_ms = sl_pg_get_at_ms(result, row, COLUMN_DEADLINE_AT);
    flight->overdue = overdue;
    flight->cancel_requested = sl_pg_get_bool(result, row, COLUMN_CANCEL_REQUESTED);
    flight->lease_until_mono_ms = lease_until_mono_ms;
    if (!read_job(flight, result, row, &err)) {
        drive_end(engine, flight, FLIGHT_END_FAILED, 0, err.message);
        return;
    }
    choose_step(flight, sl_pg_get_text(result, row, COLUMN_STEP), fresh);
    flight_list_push(&engine->ready, flight);
    sl_log(SL_LOG_DEBUG, "execute", "job claimed", LOG_CSTR("job", flight->job.id_text),
           LOG_CSTR("kind", job_kind_name(flight->recipe->kind)), LOG_CSTR("user", flight->job.user_id),
           LOG_CSTR("step", flight->step->name), LOG_INT("fence", flight->fence), LOG_INT("attempt", flight->attempt));
}

/* What is asked for in one trip. */
struct claims {
    struct {
        enum cloud_id home; /* CLOUD_NONE: what is overdue */
        int count;
    } items[CLOUD_COUNT + 1];
    size_t count;
    int room;
};

static bool add_claim(struct engine *engine, struct claims *claims, enum cloud_id home, int count, struct sl_err *err)
{
    count = count < CLAIMS_AT_ONCE_MAX ? count : CLAIMS_AT_ONCE_MAX;
    if (count <= 0)
        return true;
    if (!queue_claim(engine, home, count, err))
        return false;
    claims->items[claims->count].home = home;
    claims->items[claims->count++].count = count;
    claims->room -= count;
    return true;
}

static bool queue_claims(struct engine *engine, struct claims *claims, int64_t mono_ms, struct sl_err *err)
{
    static const enum cloud_id homes[] = {CLOUD_HETZNER, CLOUD_GITHUB, CLOUD_PROVISIONER,
                                          CLOUD_RESEND,  CLOUD_STRIPE, CLOUD_GRAPH};
    const int home_count = (int)SL_ARRAY_LEN(homes);
    claims->room = (int)engine->pool.free.count;
    if (mono_ms >= engine->overdue_at_mono_ms) {
        engine->overdue_at_mono_ms = mono_ms + OVERDUE_EVERY_MS;
        int overdue_max = claims->room / 4 + 1;
        if (overdue_max > claims->room)
            overdue_max = claims->room;
        if (!add_claim(engine, claims, CLOUD_NONE, overdue_max < CLAIMS_OVERDUE_MAX ? overdue_max : CLAIMS_OVERDUE_MAX,
                       err))
            return false;
    }
    /* half of the room is kept for all alike, the other half is for whom it comes to first; and each is first in turn,
     * for when there is next to none */
    int kept = claims->room / (2 * home_count);
    engine->claim_turn = (engine->claim_turn + 1) % home_count;
    for (int i = 0; i < home_count; i++) {
        enum cloud_id home = homes[(engine->claim_turn + i) % home_count];
        int count = lane_claims_max(&engine->lanes[home], mono_ms);
        int share = claims->room - kept * (home_count - 1 - i);
        if (!add_claim(engine, claims, home, count < share ? count : share, err))
            return false;
    }
    return true;
}

bool claim_jobs(struct engine *engine, struct sl_err *err)
{
    struct claims claims = {.count = 0};
    PGresult *results[SL_ARRAY_LEN(claims.items)] = {NULL};
    int64_t mono_ms = sl_clock_mono_ms();
    engine->claim_at_mono_ms = mono_ms + engine->settings->poll_interval_ms;
    sl_arena_reset(engine->arena);
    if (!queue_claims(engine, &claims, mono_ms, err))
        return false;
    if (claims.count == 0)
        return true;
    if (!sl_pg_flush(engine->pg, results, claims.count, err))
        return false;
    int64_t ended_ms = sl_clock_mono_ms();
    engine->claim_rest_until_mono_ms = ended_ms + (ended_ms - mono_ms);
    for (size_t i = 0; i < claims.count; i++) {
        bool overdue = claims.items[i].home == CLOUD_NONE;
        int rows = PQntuples(results[i]);
        sl_fault_if(rows > 0, "execute.after_claim");
        for (int row = 0; row < rows; row++)
            take(engine, results[i], row, mono_ms + engine->settings->lease_ms, overdue);
        sl_metric_add(engine->claimed_total, rows);
        if (rows >= claims.items[i].count)
            engine->claim_at_mono_ms = mono_ms; /* there may be more */
        PQclear(results[i]);
    }
    return true;
}
