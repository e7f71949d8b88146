/* states.c - the state machines of agents and jobs, and the names of every enumeration that others read.
 *
 * A move that the tables lack is a bug of a rule: plan_move_agent and plan_move_job assert it. The tables are the
 * only place that says what may follow what; docs and tests read them through agent_status_may_move and
 * job_status_may_move.
 */
#include "worker/decide/plan.h"

#define BIT(value) (1U << (unsigned)(value))

static const char *const AGENT_STATUS_NAMES[AGENT_STATUS_COUNT] = {
    [AGENT_NONE] = "none",         [AGENT_DRAFT] = "draft",           [AGENT_PROVISIONING] = "provisioning",
    [AGENT_ACTIVE] = "active",     [AGENT_STOPPING] = "stopping",     [AGENT_PAUSED] = "paused",
    [AGENT_STARTING] = "starting", [AGENT_DESTROYING] = "destroying", [AGENT_DESTROYED] = "destroyed",
    [AGENT_FAILED] = "failed",
};

static const char *const JOB_KIND_NAMES[JOB_KIND_COUNT] = {
    [JOB_KIND_NONE] = "none",
    [JOB_PROVISION] = "provision",
    [JOB_START] = "start",
    [JOB_STOP] = "stop",
    [JOB_DESTROY] = "destroy",
    [JOB_ROLLBACK] = "rollback",
    [JOB_UPDATE_LIMITS] = "update_limits",
    [JOB_DEPROVISION] = "deprovision",
    [JOB_EMAIL] = "email",
    [JOB_STRIPE] = "stripe",
    [JOB_GRAPH] = "graph",
};

static const char *const JOB_STATUS_NAMES[JOB_STATUS_COUNT] = {
    [JOB_STATUS_NONE] = "none",    [JOB_QUEUED] = "queued", [JOB_RUNNING] = "running",     [JOB_WAITING] = "waiting",
    [JOB_SUCCEEDED] = "succeeded", [JOB_FAILED] = "failed", [JOB_CANCELLED] = "cancelled",
};

static const char *const OUTCOME_NAMES[OUTCOME_COUNT] = {
    [OUTCOME_NONE] = "none",       [OUTCOME_APPLIED] = "applied", [OUTCOME_REJECTED] = "rejected",
    [OUTCOME_IGNORED] = "ignored", [OUTCOME_PARKED] = "parked",   [OUTCOME_HELD] = "held",
    [OUTCOME_DEAD] = "dead",
};

static const struct {
    const char *name;
    int http_status;
} ERROR_CODES[ERROR_CODE_COUNT] = {
    [ERROR_NONE] = {"", 200},
    [ERROR_NO_ACTIVE_SUBSCRIPTION] = {"NO_ACTIVE_SUBSCRIPTION", 403},
    [ERROR_AGENT_LIMIT_REACHED] = {"AGENT_LIMIT_REACHED", 403},
    [ERROR_ALREADY_CLAIMED] = {"ALREADY_CLAIMED", 409},
    [ERROR_JOB_ENDED] = {"JOB_ENDED", 409},
    [ERROR_JOB_NOT_FOUND] = {"JOB_NOT_FOUND", 404},
    [ERROR_INVALID_STATE] = {"INVALID_STATE", 409},
    [ERROR_PROVISION_IN_PROGRESS] = {"PROVISION_IN_PROGRESS", 409},
    [ERROR_AGENT_NOT_FOUND] = {"AGENT_NOT_FOUND", 404},
    [ERROR_FORBIDDEN] = {"FORBIDDEN", 403},
    [ERROR_WORKSPACE_PLAN_REQUIRED] = {"workspace_plan_required", 403},
    [ERROR_WORKSPACE_MEMBER_LIMIT] = {"workspace_member_limit", 403},
    [ERROR_WORKSPACE_RUN_LIMIT] = {"workspace_run_limit", 403},
    [ERROR_USAGE_LIMIT_REACHED] = {"USAGE_LIMIT_REACHED", 429},
    [ERROR_NOT_CONNECTION_OWNER] = {"NOT_CONNECTION_OWNER", 403},
    [ERROR_WORKSPACE_NOT_FOUND] = {"WORKSPACE_NOT_FOUND", 404},
    [ERROR_CONNECTION_NOT_FOUND] = {"CONNECTION_NOT_FOUND", 404},
    [ERROR_INVITE_NOT_FOUND] = {"INVITE_NOT_FOUND", 404},
    [ERROR_INVITE_EXPIRED] = {"INVITE_EXPIRED", 410},
    [ERROR_CLOUD_UNAVAILABLE] = {"CLOUD_UNAVAILABLE", 503},
};

static const unsigned AGENT_MOVES[AGENT_STATUS_COUNT] = {
    [AGENT_NONE] = BIT(AGENT_DRAFT),
    [AGENT_DRAFT] = BIT(AGENT_PROVISIONING) | BIT(AGENT_DESTROYING),
    [AGENT_PROVISIONING] = BIT(AGENT_ACTIVE) | BIT(AGENT_DRAFT) | BIT(AGENT_FAILED) | BIT(AGENT_DESTROYING),
    /* starting: its server was found off; failed: it was found gone */
    [AGENT_ACTIVE] = BIT(AGENT_STOPPING) | BIT(AGENT_DESTROYING) | BIT(AGENT_STARTING) | BIT(AGENT_FAILED),
    /* back to active, or to starting: its stop was cancelled, or is being undone */
    [AGENT_STOPPING] =
        BIT(AGENT_PAUSED) | BIT(AGENT_FAILED) | BIT(AGENT_ACTIVE) | BIT(AGENT_STARTING) | BIT(AGENT_DESTROYING),
    /* stopping: its server was found running */
    [AGENT_PAUSED] = BIT(AGENT_STARTING) | BIT(AGENT_DESTROYING) | BIT(AGENT_STOPPING) | BIT(AGENT_FAILED),
    [AGENT_STARTING] =
        BIT(AGENT_ACTIVE) | BIT(AGENT_FAILED) | BIT(AGENT_PAUSED) | BIT(AGENT_STOPPING) | BIT(AGENT_DESTROYING),
    [AGENT_DESTROYING] = BIT(AGENT_DESTROYED) | BIT(AGENT_FAILED),
    [AGENT_DESTROYED] = BIT(AGENT_PROVISIONING),
    /* by a retry into the state of the job's kind */
    [AGENT_FAILED] = BIT(AGENT_PROVISIONING) | BIT(AGENT_STARTING) | BIT(AGENT_STOPPING) | BIT(AGENT_DESTROYING),
};

static const unsigned JOB_MOVES[JOB_STATUS_COUNT] = {
    [JOB_STATUS_NONE] = BIT(JOB_QUEUED),
    /* waiting: the workflow's claim may overtake the executor's own write-back */
    [JOB_QUEUED] = BIT(JOB_RUNNING) | BIT(JOB_WAITING) | BIT(JOB_FAILED) | BIT(JOB_CANCELLED),
    [JOB_RUNNING] = BIT(JOB_QUEUED) | BIT(JOB_WAITING) | BIT(JOB_SUCCEEDED) | BIT(JOB_FAILED) | BIT(JOB_CANCELLED),
    [JOB_WAITING] = BIT(JOB_SUCCEEDED) | BIT(JOB_FAILED) | BIT(JOB_CANCELLED),
    [JOB_SUCCEEDED] = 0,
    [JOB_FAILED] = BIT(JOB_QUEUED),
    [JOB_CANCELLED] = 0,
};

static unsigned parse(const char *const *names, unsigned count, struct sl_str text)
{
    for (unsigned i = 1; i < count; i++) {
        if (sl_str_is(text, names[i]))
            return i;
    }
    return 0;
}

const char *agent_status_name(enum agent_status status)
{
    SL_ASSERT(status < AGENT_STATUS_COUNT);
    return AGENT_STATUS_NAMES[status];
}

const char *job_kind_name(enum job_kind kind)
{
    SL_ASSERT(kind < JOB_KIND_COUNT);
    return JOB_KIND_NAMES[kind];
}

const char *job_status_name(enum job_status status)
{
    SL_ASSERT(status < JOB_STATUS_COUNT);
    return JOB_STATUS_NAMES[status];
}

enum agent_status agent_status_parse(struct sl_str text)
{
    return (enum agent_status)parse(AGENT_STATUS_NAMES, AGENT_STATUS_COUNT, text);
}

enum job_kind job_kind_parse(struct sl_str text)
{
    return (enum job_kind)parse(JOB_KIND_NAMES, JOB_KIND_COUNT, text);
}

enum job_status job_status_parse(struct sl_str text)
{
    return (enum job_status)parse(JOB_STATUS_NAMES, JOB_STATUS_COUNT, text);
}

bool agent_status_may_move(enum agent_status from, enum agent_status to)
{
    SL_ASSERT(from < AGENT_STATUS_COUNT && to < AGENT_STATUS_COUNT);
    return (AGENT_MOVES[from] & BIT(to)) != 0;
}

bool job_status_may_move(enum job_status from, enum job_status to)
{
    SL_ASSERT(from < JOB_STATUS_COUNT && to < JOB_STATUS_COUNT);
    return (JOB_MOVES[from] & BIT(to)) != 0;
}

bool job_status_is_open(enum job_status status)
{
    return status == JOB_QUEUED || status == JOB_RUNNING || status == JOB_WAITING;
}

const char *outcome_name(enum outcome outcome)
{
    SL_ASSERT(outcome < OUTCOME_COUNT);
    return OUTCOME_NAMES[outcome];
}

const char *error_code_name(enum error_code error)
{
    SL_ASSERT(error < ERROR_CODE_COUNT);
    return ERROR_CODES[error].name;
}

int error_code_http_status(enum error_code error)
{
    SL_ASSERT(error < ERROR_CODE_COUNT);
    return ERROR_CODES[error].http_status;
}
