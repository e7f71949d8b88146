/* plan.h - what shall be: the outcome of one event and every row it changes.
 *
 * A plan holds whole new versions of the entities it changes. The shell prepares it with room for the facts at hand
 * (plan_create), a rule fills it through the functions below, apply/plan_commit writes it. Nothing here allocates,
 * logs or does I/O; overflow is an assertion, because the room is a function of the facts.
 */
#ifndef DECIDE_PLAN_H
#define DECIDE_PLAN_H

#include "worker/decide/commons.h"
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
    ERROR_WORKSPACE_PLAN_REQUIRED, /* these three in lower case: contract, section 7 */
    ERROR_WORKSPACE_MEMBER_LIMIT,
    ERROR_WORKSPACE_RUN_LIMIT,
    ERROR_USAGE_LIMIT_REACHED,
    ERROR_NOT_CONNECTION_OWNER,
    ERROR_WORKSPACE_NOT_FOUND,
    ERROR_CONNECTION_NOT_FOUND,
    ERROR_INVITE_NOT_FOUND,
    ERROR_INVITE_EXPIRED,
    ERROR_CLOUD_UNAVAILABLE,
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

/* A message to another user's partition: what this event means for that user. The shell publishes it through the
 * outbox, source /sluice/apply; its id derives as a job's does. */
struct notice {
    struct sl_uuid id;
    const char *ce_type; /* static: "member.removed" */
    struct sl_str user_id;
    struct sl_str body; /* JSON object text; carries "user_id" */
};

/* The outcome of a command that waited for a cloud; its events row is changed, and it is told under the command's own
 * id. */
struct answer {
    struct sl_str source, event_id, ce_type, reply_to;
    enum outcome outcome;
    enum error_code error;
    struct sl_str message, data;
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
    struct usage *usages;
    size_t usage_count, usage_cap;
    struct commons_changes commons;
    struct notice *notices;
    size_t notice_count, notice_cap;
    struct audit *audits; /* grows: nobody holds on to one */
    size_t audit_count, audit_cap;

    struct sl_str data; /* the outcome's, JSON object text; empty: {} */
    bool answers_later; /* the verdict is for the books; the command is answered when its job ends */
    bool has_answer;
    struct answer answer;

    const char *dead_letter_cause; /* a job out of attempts: the event goes to the dead letters too; NULL: no */
    unsigned ordinal;              /* of the next derived id */
};

/* Room for whatever a rule may do over these facts, taken when first used. Called by the shell, once an event. */
struct plan *plan_create(struct sl_arena *arena, const struct facts *facts, const struct input *input);

/* The verdict; a rule calls exactly one of them. `message` is static or in the plan's arena. */
void plan_applied(struct plan *plan, const char *message);
void plan_rejected(struct plan *plan, enum error_code error, const char *message);
void plan_ignored(struct plan *plan, const char *message);

/* The verdict of a command that `job` (new, of this plan) will answer: applied, and told when the job ends. */
void plan_answered_by(struct plan *plan, struct job *job, const char *message);
/* Answers the command that waited for `job`, if one does. `data` is JSON object text or empty. */
void plan_answer(struct plan *plan, const struct job *job, enum outcome outcome, enum error_code error,
                 const char *message, struct sl_str data);
/* The outcome's `data`: JSON object text. */
void plan_data(struct plan *plan, struct sl_str data);

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

/* The same for a job that is about no agent: an e-mail, a call to Stripe, a reading of Graph. */
struct job *plan_job_new_plain(struct plan *plan, const struct facts *facts, enum job_kind kind, const char *backend,
                               struct sl_str args);
/* The day's count; a new row, at 0, when there is none. */
struct usage *plan_usage(struct plan *plan, const struct facts *facts, int32_t day, struct sl_str metric);
void plan_notify(struct plan *plan, const char *ce_type, struct sl_str user_id, struct sl_str body);

/* The one setter of each state machine: asserts that the move is legal, stamps the end of a job, and raises the
 * job's fence. Who is to run again was stopped by nobody: stopped_by is cleared. */
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
