/* recipe.h - how a kind of job is carried out: a table of steps, each one call to one cloud.
 *
 * Pure: a step builds its request from the job, reads the reply, and says what comes next. It sends nothing, waits for
 * nothing and stores nothing: the engine does (drive.c). Invariants: a step that `mutates` has a `look`, the step that
 * finds out whether it took effect, which only an idempotent step may be itself; steps that only read may be repeated
 * at will.
 */
#ifndef EXECUTE_RECIPE_H
#define EXECUTE_RECIPE_H

#include "common/seal.h"
#include "common/uuid.h"
#include "worker/clouds/cloud.h"
#include "worker/decide/facts.h"
#include "worker/execute/args.h"
#include "worker/execute/classify.h"
#include "worker/execute/emails.h"
#include "worker/execute/findings.h"
#include "worker/execute/hosting.h"

#define RECIPE_STEPS_MAX   16
#define RECIPE_USER_BYTES  256
#define RECIPE_ERROR_BYTES 256

/* What a job is about, as read at its claim. */
struct recipe_job {
    struct sl_uuid id, agent_id;
    char id_text[SL_UUID_TEXT_BYTES];
    char agent_text[SL_UUID_TEXT_BYTES];
    char agent_name[64]; /* "agent-<agent_id>": of server and device */
    char user_id[RECIPE_USER_BYTES];
    char region[64];
    char run_title[64]; /* "sluice <job id>" of the provision job concerned; empty: there is none, or it never called */
    int64_t run_from_ms; /* no run of that job is older */
    int generation;      /* counts retries by command */
    struct args args;    /* of the rules; see recipe_arg */
    char *sealed; /* heap: the token of the connection that the job reads with, as it stands in the database; NULL:
                     there is none, or none that the job's user may use */
    struct {      /* minted and not used yet; in memory alone, wiped when the job leaves the worker */
        char secret[256];
        int64_t until_ms; /* good for no new server past it */
    } auth_key;
    struct findings found;
};
/* Frees what is on the heap; idempotent. */
void recipe_job_deinit(struct recipe_job *job);

/* The settings that steps need. */
struct recipe_settings {
    const struct cloud_account *accounts; /* by enum cloud_id */
    int64_t stop_grace_ms;                /* between asking a guest to shut down and cutting its power */
    int64_t run_stop_max_ms;              /* how long a destroy waits for a workflow's run to end */
    int64_t look_ms;                      /* between two looks for a run in GitHub's list, which lags */
    int looks_max;
    const struct sl_seal_ring *data_keys; /* of connections' tokens at rest */
    int64_t provision_timeout_ms;         /* in which a provision without a workflow has to be done */
    const struct hosting *hosting;        /* where new servers go */
    const struct emails *emails;          /* templates */
};

enum step_action {
    STEP_CALL = 1, /* of `prepare` alone: the request is built, send it */
    STEP_NEXT,     /* go to step `next` */
    STEP_WAIT,  /* this step (or `next`) again after `after_ms` (0: the poll's interval); counts no attempt, bounded by
                   the step's wait_max_ms */
    STEP_RETRY, /* a failed attempt: step `next` (NULL: this one) again after the back-off */
    STEP_REFUSED, /* the job has failed for good */
    STEP_DONE,    /* the job is done */
    STEP_WAITING, /* the job goes on by callbacks */
    STEP_ACTION_COUNT
};

struct step_result {
    enum step_action action;
    const char *next;
    int64_t after_ms;
    int attempts_max;               /* RETRY: fewer than the cloud's; 0: as configured */
    char error[RECIPE_ERROR_BYTES]; /* RETRY, REFUSED: why; NEXT: something worth a line in the log, or empty */
};

struct step {
    const char *name;
    enum cloud_id cloud;
    bool mutates;
    bool idempotent;     /* the cloud takes the same call again for the same effect: it may be its own `look` */
    bool preparatory;    /* its success is only half of another change, and forgives none of that one's failures */
    const char *look;    /* where to go after UNKNOWN, or with an open intent */
    const char *give_up; /* where the job goes on when its attempts have run out here; NULL: it has failed */
    int64_t wait_max_ms; /* of STEP_WAIT and of a locked resource; past it, an attempt has failed */
    /* Builds the request (CALL), or says why no call is needed (any other action). */
    struct step_result (*prepare)(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                  struct cloud_request *request);
    /* Reads the reply of a call that is DONE. */
    struct step_result (*done)(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                               const struct sl_http_response *response);
    /* A call that was REFUSED; NULL: the job fails with the cloud's words. */
    struct step_result (*refused)(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                  const struct classification *refusal);
    /* A call that was NOT_DONE for want of capacity; NULL: a failed attempt. */
    struct step_result (*no_room)(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                  const struct classification *refusal);
};

struct recipe {
    enum job_kind kind;
    const char *backend; /* jobs.backend; NULL: any */
    const char *op;      /* args.op, where a kind does several things; NULL: any */
    enum cloud_id home;  /* the cloud that does most of it: while it can't be called, nothing of the kind is claimed */
    bool may_cancel;     /* an undoing job is never left half done */
    const struct step *steps; /* the first one starts */
    size_t step_count;
    const char *first; /* == steps[0].name, or where a fresh job starts */
};

/* All recipes. Static. */
const struct recipe *const *recipes_all(size_t *ret_count);
/* The recipe of a job, or NULL. `op`: args.op, or empty. */
const struct recipe *recipe_of(enum job_kind kind, struct sl_str backend, struct sl_str op);
/* A step by name, or NULL: a name that an older or newer program wrote. */
const struct step *recipe_step(const struct recipe *recipe, struct sl_str name);
/* What a reply means for the job: closes the intent where the answer is certain, sets `*attempt` back where something
 * was achieved, and asks the step. UNKNOWN leaves the intent open and goes to `look`. */
struct step_result recipe_answer(const struct step *step, struct recipe_job *job, int *attempt,
                                 const struct recipe_settings *settings, int64_t now_ms,
                                 const struct sl_http_response *response, const struct classification *seen);
/* Counts a failed attempt of `step`. Reading well again forgives failed reads; failed changes are forgiven when another
 * change is done. */
void recipe_failed(const struct step *step, struct recipe_job *job, const struct step_result *result, int *attempt);
/* Attempts have run out: the step to go on with, its attempts counted anew and no intent open, or NULL: the job has
 * failed. */
const char *recipe_give_up(const struct step *step, struct recipe_job *job, int *attempt);
/* The step's cloud can't be called: its breaker is open, or it refuses our credentials. Gives the step to go on with as
 * recipe_give_up does, once that has lasted for run_stop_max_ms and where the step has one; NULL: the job waits. */
const char *recipe_closed(const struct step *step, struct recipe_job *job, const struct recipe_settings *settings,
                          int64_t now_ms, int *attempt);
/* An idempotent step that a worker began and left: from now on it is in doubt whether it took effect. */
void recipe_left_open(const struct step *step, struct recipe_job *job);
/* Asserts the invariants of a table. */
void recipe_check(const struct recipe *recipe);

/* For steps. */
/* A text member of jobs.args, or "". Borrowed from the job. */
const char *recipe_arg(const struct recipe_job *job, const char *name);
struct step_result step_call_if(bool built, const struct sl_err *err); /* CALL, or REFUSED with the error */
struct step_result step_next(const char *next);
struct step_result step_next_noting(const char *next, const char *format, ...) SL_PRINTF(2, 3);
struct step_result step_wait(void);
struct step_result step_wait_at(const char *next, int64_t after_ms);
struct step_result step_retry(const char *next, const char *error_format, ...) SL_PRINTF(2, 3);
struct step_result step_refused(const char *error_format, ...) SL_PRINTF(1, 2);
struct step_result step_done(void);
struct step_result step_waiting(void);
/* The body of a DONE reply isn't what the API documents: a read is tried again, a change is looked at. */
struct step_result step_unreadable(const char *look);

#endif
