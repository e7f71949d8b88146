/* read_agents.c - agents and their jobs, for read.h. What a job was given (args) and has found (result) is not shown.
 */
#include "console/read.h"
#include "console/read_sql.h"

#define AGENT                                                                                                          \
    "'id', a.id, 'name', a.name, 'backend', a.backend, 'region', a.region, 'status', a.status,"                        \
    " 'status_reason', a.status_reason, 'server_id', a.server_id, 'server_ip', a.server_ip,"                           \
    " 'tailscale_device_id', a.tailscale_device_id, 'tailscale_ip', a.tailscale_ip, 'app_name', a.app_name,"           \
    " 'frontend_url', a.frontend_url, 'backend_url', a.backend_url, 'memory_limit_mb', a.memory_limit_mb,"             \
    " 'cpu_limit', a.cpu_limit, 'subscription_id', a.subscription_id, 'created_at', " ISO(                             \
        "a.created_at") ", 'updated_at', " ISO("a.updated_at")

#define JOB                                                                                                            \
    "'id', j.id, 'agent_id', j.agent_id, 'kind', j.kind, 'backend', j.backend, 'status', j.status, 'step', j.step,"    \
    " 'attempt', j.attempt, 'run_id', j.run_id, 'cause_event_id', j.cause_event_id, 'rule', j.rule,"                   \
    " 'error', j.error, 'heartbeat_at', " ISO("j.heartbeat_at") ", 'created_at', " ISO(                                \
        "j.created_at") ", 'updated_at', " ISO("j.updated_at") ", 'ended_at', " ISO("j.ended_at")

/* Those that the role sluice_console may read. */
#define JOB_COLUMNS                                                                                                    \
    "id, seq, agent_id, user_id, kind, backend, status, step, attempt, run_id, cause_event_id, rule, error,"           \
    " heartbeat_at, created_at, updated_at, ended_at"

static const char AGENTS[] =
    "WITH page AS (SELECT * FROM sluice.agents WHERE user_id = $1 AND " BEFORE_CURSOR " ORDER BY " NEWEST_FIRST
    " LIMIT $4 + 1)," SHOWN " SELECT json_build_object('agents', (SELECT coalesce(json_agg(json_build_object(" AGENT
    ") ORDER BY " NEWEST_FIRST "), '[]') FROM shown AS a), 'next', " NEXT ")::text";

/* Jobs have an order of their own, in which they were decided. */
static const char AGENT_WITH_JOBS[] =
    "WITH page AS (SELECT " JOB_COLUMNS
    " FROM sluice.jobs WHERE agent_id = $3 AND user_id = $1 AND ($5 < 0 OR seq < $5)"
    " ORDER BY seq DESC LIMIT $4 + 1),"
    " shown AS (SELECT * FROM page ORDER BY seq DESC LIMIT $4)"
    " SELECT json_build_object(" AGENT ", 'jobs', (SELECT coalesce(json_agg(json_build_object(" JOB
    ") ORDER BY seq DESC), '[]') FROM shown AS j), 'next',"
    " (SELECT seq || '.' || id FROM shown WHERE (SELECT count(*) FROM page) > $4 ORDER BY seq LIMIT 1))::text"
    " FROM sluice.agents AS a WHERE a.id = $3 AND a.user_id = $1";

static const char JOB_WITH_CALLS[] =
    "WITH page AS (SELECT * FROM sluice.job_calls WHERE job_id = $3 AND ($5 < 0 OR id > $5) ORDER BY id LIMIT $4 + 1),"
    " shown AS (SELECT * FROM page ORDER BY id LIMIT $4)"
    " SELECT json_build_object(" JOB ", 'calls', (SELECT coalesce(json_agg(json_build_object('step', step,"
    " 'attempt', attempt, 'cloud', cloud, 'status', status, 'verdict', verdict, 'took_ms', took_ms, 'at', " ISO(
        "at") ") ORDER BY id), '[]') FROM shown), 'next',"
              " (SELECT id || '.' || job_id FROM shown WHERE (SELECT count(*) FROM page) > $4 ORDER BY id DESC LIMIT "
              "1))"
              "::text FROM sluice.jobs AS j WHERE j.id = $3 AND j.user_id = $1";

const struct read READ_AGENTS = {AGENTS, 100, 500};
const struct read READ_AGENT = {AGENT_WITH_JOBS, 20, 200};
const struct read READ_JOB = {JOB_WITH_CALLS, 100, 1000};
