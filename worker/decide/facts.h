/* facts.h - what is known of one user when an event is decided.
 *
 * apply/facts_load fills it from Postgres under the user's lock; within a batch facts_apply (below) carries each plan
 * into it, so that the next event of the user is decided over what the one before it changed. Rules see it const.
 * Strings and arrays live in the batch's arena.
 */
#ifndef DECIDE_FACTS_H
#define DECIDE_FACTS_H

#include "common/arena.h"
#include "common/str.h"
#include "common/uuid.h"

enum agent_status {
    AGENT_NONE = 0,
    AGENT_DRAFT,
    AGENT_PROVISIONING,
    AGENT_ACTIVE,
    AGENT_STOPPING,
    AGENT_PAUSED,
    AGENT_STARTING,
    AGENT_DESTROYING,
    AGENT_DESTROYED,
    AGENT_FAILED,
    AGENT_STATUS_COUNT
};
enum job_kind {
    JOB_KIND_NONE = 0,
    JOB_PROVISION,
    JOB_START,
    JOB_STOP,
    JOB_DESTROY,
    JOB_ROLLBACK,
    JOB_UPDATE_LIMITS,
    JOB_DEPROVISION,
    JOB_EMAIL,
    JOB_STRIPE,
    JOB_GRAPH,
    JOB_KIND_COUNT
};
enum job_status {
    JOB_STATUS_NONE = 0,
    JOB_QUEUED,
    JOB_RUNNING,
    JOB_WAITING,
    JOB_SUCCEEDED,
    JOB_FAILED,
    JOB_CANCELLED,
    JOB_STATUS_COUNT
};
/* As Postgres and the outside spell them; parse gives the NONE value for any other text. */
const char *agent_status_name(enum agent_status status);
const char *job_kind_name(enum job_kind kind);
const char *job_status_name(enum job_status status);
enum agent_status agent_status_parse(struct sl_str text);
enum job_kind job_kind_parse(struct sl_str text);
enum job_status job_status_parse(struct sl_str text);
/* The only legal moves; a destroyed agent moves on only by a new paid provision. */
bool agent_status_may_move(enum agent_status from, enum agent_status to);
bool job_status_may_move(enum job_status from, enum job_status to);
bool job_status_is_open(enum job_status status); /* queued, running, waiting */

/* Every entity carries `changed`: set by facts_apply, read by apply/plan_commit, which writes the last version once
 * a batch; and `exists`: a row of Postgres (false: made in this batch). */
struct user {
    struct sl_str id, email, plan, stripe_customer_id;
    /* users.pending_checkout: the checkout that is to bring a workspace plan. */
    struct sl_uuid pending_job_id;    /* that opens, or opened, its session; nil: nothing is pending */
    struct sl_str pending_session_id; /* empty: Stripe has not answered yet */
    struct sl_str pending_plan;
    struct sl_str pending_workspace_name;      /* empty: none was given */
    const struct sl_str *pending_workflow_ids; /* to be shared with the workspace */
    size_t pending_workflow_count;
    struct sl_str last_error; /* of billing, as a user understands it; empty: none */
    int64_t last_error_at_ms;
    bool onboarding_complete;
    int64_t email_created_s;
    int64_t invoice_created_s;
    int invoice_rank;
    int64_t billing_created_s; /* of the newest checkout or payment event applied to the workspace's billing */
    bool changed;
};

struct subscription {
    struct sl_str id, user_id, customer_id, status, price_id, tier;
    int max_agents, max_messages_per_day;
    int64_t current_period_start_s, current_period_end_s, trial_end_s, cancel_at_s, canceled_at_s;
    bool cancel_at_period_end;
    int64_t object_created_s;
    int object_rank; /* 1 created, 2 updated, 3 deleted: final */
    int64_t invoice_created_s;
    int invoice_rank; /* 1 payment_failed, 2 paid */
    bool exists, changed;
};

struct agent {
    struct sl_uuid id;
    struct sl_str user_id; /* may be another's: loaded because the event names it */
    struct sl_str name, backend, region;
    enum agent_status status;
    struct sl_str status_reason; /* why it failed last; kept until it is active or destroyed */
    struct sl_str server_id, server_ip, tailscale_device_id, tailscale_ip, app_name, frontend_url, backend_url;
    int memory_limit_mb; /* 0: not set */
    double cpu_limit;
    struct sl_str subscription_id; /* whose instance it is; empty: nobody's */
    struct sl_str stopped_by;      /* the subscription, or user, whose failed payment stopped it; empty: none did */
    bool exists, changed;
};

#define JOB_SEQ_REQUEUE ((int64_t)-1)

struct job {
    struct sl_uuid id;
    struct sl_str user_id; /* may be another's */
    struct sl_uuid agent_id;
    enum job_kind kind;
    enum job_status status;
    struct sl_str backend;
    struct sl_str args;              /* JSON object text; empty is {} */
    struct sl_str step;              /* where the executor stands; empty: nothing was called yet */
    struct sl_str run_id;            /* of the workflow run that claimed it */
    struct sl_str dispatched_run_id; /* of the run that GitHub said it would start; a hint, no claim */
    struct sl_str error;
    struct sl_str cause_event_id, cause_source, rule;
    struct sl_str answer_type; /* ce_type of the command that is answered when the job ends; empty: none waits */
    struct sl_str reply_to;    /* where that command's request waits; may be empty */
    int64_t seq;               /* 0 for a job made or requeued in this batch: later than all others, in array order;
                                  in a plan, JOB_SEQ_REQUEUE sends it there */
    int64_t fence;
    int generation;
    int priority;
    int64_t deadline_at_ms;
    int64_t claimed_at_ms, heartbeat_at_ms, ended_at_ms;
    bool settled, cancel_requested;
    bool requeue; /* the executor's columns start anew, at the end of the order (a new seq) */
    bool exists, changed;
};

struct timer {
    struct sl_uuid id; /* UUIDv5 of subject and kind: setting it again moves it */
    struct sl_str user_id;
    struct sl_str kind, subject;
    int64_t due_at_ms;
    int64_t set_at_ms; /* receipt of the event that set it in this batch, from which the span counts; 0: as stored */
    bool decided, cancelled; /* decided: its event was; that it fired before is chance, and no rule asks */
    bool exists, changed;
};

/* A plan of [plan NAME]: what a price buys. */
struct offer {
    struct sl_str name, price_id, backend;
    int max_agents, max_messages_per_day, memory_mb;
    double cpu;
    bool on_subscribe_provision;
    int max_members, max_runs; /* of a workspace; -1: unlimited */
    bool is_workspace;         /* solo, workspace: a tier of workspaces rather than of agents */
};

/* [policy] and the plans: the part of the configuration that rules may know. Immutable while a batch lasts. */
enum on_payment_failed { ON_PAYMENT_FAILED_STOP = 0, ON_PAYMENT_FAILED_KEEP };
enum on_subscription_deleted { ON_SUBSCRIPTION_DELETED_DESTROY = 0, ON_SUBSCRIPTION_DELETED_KEEP };
struct policy {
    bool free_tier, checkout_provisions, resume_on_payment;
    bool unknown_customer_create; /* the account of an unknown customer is made from the customer, under its id */
    enum on_payment_failed on_payment_failed;
    enum on_subscription_deleted on_subscription_deleted;
    int64_t heartbeat_ms, provision_timeout_ms;
    int heartbeats_missed_max; /* 3 */
    int64_t grace_ms;          /* from the failed payment to the end of instances */
    int64_t grace_warning_ms;  /* before that end; a grace that is shorter warns at six sevenths of it */
    int64_t stale_run_ms, invite_expiry_ms;
    int64_t answer_timeout_ms;    /* of a job that a command waits for */
    struct sl_str admin_email;    /* empty: nobody is told */
    struct sl_str app_url;        /* of the web application, without a slash at its end; empty: not configured */
    struct sl_str default_region; /* us-east */
    const struct offer *offers;
    size_t offer_count;
    struct offer free_offer; /* for a price that nobody named */
};

/* What a user used on one UTC day. */
struct usage {
    struct sl_str user_id;
    int32_t day; /* since 1970-01-01 */
    struct sl_str metric;
    int64_t count;
    int64_t told_at_ms; /* when the user was told that the limit is reached; 0: not yet */
    bool exists, changed;
};

struct commons; /* decide/commons.h */

struct facts {
    struct user user; /* id empty: the user is unknown */
    struct subscription *subscriptions;
    size_t subscription_count, subscription_cap;
    struct agent *agents; /* the user's not yet destroyed, and those that events of the batch name */
    size_t agent_count, agent_cap;
    struct job *jobs; /* the user's open ones, and those that events of the batch name; ascending order decided */
    size_t job_count, job_cap;
    struct timer *timers; /* the user's open ones, and those that events of the batch name */
    size_t timer_count, timer_cap;
    struct usage *usages; /* of the days on which usage.record events of the batch were received */
    size_t usage_count, usage_cap;
    struct commons *commons; /* the whole batch's: what an event of one user changes, the next one's sees. Never NULL */
    const struct policy *policy;
};

/* Lookups; NULL when not there. Foreign rows (user_id differs) are found too: rules check ownership. */
const struct agent *facts_agent(const struct facts *facts, struct sl_uuid id);
const struct job *facts_job(const struct facts *facts, struct sl_uuid id);
const struct subscription *facts_subscription(const struct facts *facts, struct sl_str id);
const struct timer *facts_timer(const struct facts *facts, struct sl_uuid id);
const struct usage *facts_usage(const struct facts *facts, int32_t day, struct sl_str metric);
/* By its name; NULL when no [plan NAME] is configured. */
const struct offer *policy_offer(const struct policy *policy, struct sl_str name);
/* Never NULL: the free offer for a price that nobody named. */
const struct offer *policy_offer_of_price(const struct policy *policy, struct sl_str price_id);

struct plan;
/* Carries the plan's changes into the facts; grows the arrays in `arena`. Marks what changed. */
void facts_apply(struct facts *facts, const struct plan *plan, struct sl_arena *arena);
/* Asserts the invariants: ids unique, statuses set, one open provision under way, jobs in order. */
void facts_check(const struct facts *facts);

#endif
