/* plan.h - what shall be: the outcome of one event and every row it changes.
 *
 * A plan holds whole new versions of the entities it changes. The shell prepares it with room for the facts at hand
 * (plan_create), a rule fills it through the functions below, apply/plan_commit writes it. Nothing here allocates,
 * logs or does I/O; overflow is an assertion, because the room is a function of the facts.
 */
#ifndef DECIDE_PLAN_H
#define DECIDE_PLAN_H

#include "worker/decide/facts.h"
#include "worker/decide/input.h"

enum outcome {
    OUTCOME_NONE = 0,
    OUTCOME_APPLIED,
    OUTCOME_REJECTED,
    OUTCOME_IGNORED,
    OUTCOME_PARKED,
    OUTCOME_HELD,
    OUTCOME_DEAD,
    OUTCOME_COUNT
};
const char *outcome_name(enum outcome outcome);

enum error_code {
    ERROR_NONE = 0,
    ERROR_NO_ACTIVE_SUBSCRIPTION,
    ERROR_AGENT_LIMIT_REACHED,
    ERROR_ALREADY_CLAIMED,
    ERROR_JOB_ENDED,
    ERROR_JOB_NOT_FOUND,
    ERROR_INVALID_STATE,
    ERROR_PROVISION_IN_PROGRESS,
    ERROR_AGENT_NOT_FOUND,
    ERROR_FORBIDDEN,
    ERROR_CODE_COUNT
};
const char *error_code_name(enum error_code error); /* "NO_ACTIVE_SUBSCRIPTION" */
int error_code_http_status(enum error_code error);  /* contract, section 7; 200 for NONE */

struct audit {
    const char *action;   /* past tense, static */
    struct sl_str target; /* "agent:<uuid>" …, in the plan's arena */
    struct sl_str detail; /* JSON object text or empty */
};

struct plan {
    struct sl_arena *arena; /* for the strings that rules make; the batch's */
    const struct input *input;
    const char *rule; /* the deciding row's name, static */
    enum outcome outcome;
    enum error_code error;
    struct sl_str message;   /* for people: why rejected or ignored, what was done */
    struct sl_uuid agent_id; /* the one agent that the event is about, or nil: part of the outcome */

    struct user user; /* the new version, if user_changed */
    bool user_changed;
    /* This customer is now the user's: the shell stores it, tells the directory, and releases what was parked. */
    struct sl_str link_customer_id;

    struct subscription *subscriptions;
    size_t subscription_count, subscription_cap;
    struct agent *agents;
    size_t agent_count, agent_cap;
    struct job *jobs;
    size_t job_count, job_cap; /* new (exists false) and changed ones */
    struct timer *timers;
    size_t timer_count, timer_cap;
    struct audit *audits;
    size_t audit_count, audit_cap;

    const char *dead_letter_cause; /* a job out of attempts: the event goes to the dead letters too; NULL: no */
    unsigned ordinal;              /* of the next derived id */
};

/* Room for whatever a rule may do over these facts, taken when first used. Called by the shell, once an event. */
struct plan *plan_create(struct sl_arena *arena, const struct facts *facts, const struct input *input);

/* The verdict; a rule calls exactly one of them. `message` is static or in the plan's arena. */
void plan_applied(struct plan *plan, const char *message);
void plan_rejected(struct plan *plan, enum error_code error, const char *message);
void plan_ignored(struct plan *plan, const char *message);

/* A copy of the entity in the plan, to be changed; the same copy when the plan has it already. */
struct user *plan_user(struct plan *plan, const struct facts *facts);
/* A new one when unknown: incomplete, free, before all events. */
struct subscription *plan_subscription(struct plan *plan, const struct facts *facts, struct sl_str id);
struct agent *plan_agent(struct plan *plan, const struct agent *agent);
struct agent *plan_agent_new(struct plan *plan, const struct facts *facts, struct sl_uuid id);
struct job *plan_job(struct plan *plan, const struct job *job);
/* A new queued job of the kind, its id derived; cause, rule, backend and priority filled. `args` is JSON object
 * text or empty. */
struct job *plan_job_new(struct plan *plan, const struct facts *facts, const struct agent *agent, enum job_kind kind,
                         struct sl_str args);

/* The one setter of each state machine: asserts that the move is legal, stamps the end of a job, and raises the
 * job's fence. */
void plan_move_agent(struct plan *plan, const struct facts *facts, struct agent *agent, enum agent_status status,
                     struct sl_str reason);
void plan_move_job(struct plan *plan, struct job *job, enum job_status status, struct sl_str error);

/* Makes a job that is queued or failed start anew at the end of the order, as when it was made; jobs made before it
 * in this plan come before it. */
void plan_job_requeue(struct plan *plan, struct job *job);

/* Sets (or moves) and cancels the timer of a kind for a subject; one that is not armed needs no cancelling. */
void plan_timer_set(struct plan *plan, const struct facts *facts, const char *kind, struct sl_str subject,
                    int64_t due_at_ms);
void plan_timer_cancel(struct plan *plan, const struct facts *facts, const char *kind, struct sl_str subject);
struct sl_uuid timer_id_of(const char *kind, struct sl_str subject);

/* `detail`: JSON object text or empty. */
void plan_audit(struct plan *plan, const char *action, struct sl_str target, struct sl_str detail);
struct sl_str plan_target(struct plan *plan, const char *kind, struct sl_uuid id);      /* "agent:<uuid>" */
struct sl_str plan_target_named(struct plan *plan, const char *kind, struct sl_str id); /* "subscription:<id>" */

/* UUIDv5 of source, event id, rule and ordinal: the same decision gives the same ids. */
struct sl_uuid plan_derive_id(struct plan *plan);

#endif
