/* input.h - what happened, typed: the part of an event that rules may look at.
 *
 * worker/payload makes it from the envelope and the body; the rules read nothing else of the event. All strings are
 * borrowed from the message or its arena. Times are Unix milliseconds (`_at_ms`) or Stripe's Unix seconds (`_s`); 0
 * is "not given".
 */
#ifndef DECIDE_INPUT_H
#define DECIDE_INPUT_H

#include "common/str.h"
#include "common/uuid.h"

/* Names in input.c's table; payload/ and rulebook.c map by it. */
enum input_type {
    INPUT_UNKNOWN = 0, /* verified, but of a type that no rule knows: recorded as ignored */
    INPUT_STRIPE_SUBSCRIPTION_CREATED,
    INPUT_STRIPE_SUBSCRIPTION_UPDATED, /* also .paused .resumed .trial_will_end .pending_update_* */
    INPUT_STRIPE_SUBSCRIPTION_DELETED,
    INPUT_STRIPE_INVOICE_PAID, /* also .payment_succeeded */
    INPUT_STRIPE_INVOICE_PAYMENT_FAILED,
    INPUT_STRIPE_CHECKOUT_COMPLETED,
    INPUT_STRIPE_CHECKOUT_ASYNC_SUCCEEDED,
    INPUT_STRIPE_CHECKOUT_ASYNC_FAILED,
    INPUT_STRIPE_CHECKOUT_EXPIRED,
    INPUT_STRIPE_PAYMENT_INTENT_FAILED,
    INPUT_STRIPE_CUSTOMER, /* customer.created, .updated */
    INPUT_AGENT_CREATE,
    INPUT_AGENT_PROVISION,
    INPUT_AGENT_START,
    INPUT_AGENT_STOP,
    INPUT_AGENT_DESTROY,
    INPUT_AGENT_REPAIR, /* of ops alone: what a look at the clouds found */
    INPUT_JOB_RETRY,
    INPUT_JOB_CANCEL,
    INPUT_CHECKOUT_START,
    INPUT_WORKSPACE_PLAN_CHANGE,
    INPUT_SUBSCRIPTION_RESUME,
    INPUT_WORKSPACE_INVITE,
    INPUT_INVITE_ACCEPT,
    INPUT_WORKSPACE_LEAVE,
    INPUT_WORKSPACE_REVOKE,
    INPUT_CONNECTION_SHARE,
    INPUT_CONNECTION_UNSHARE,
    INPUT_RUN_START,
    INPUT_RUN_FINISH,
    INPUT_USAGE_RECORD,
    INPUT_EARLY_ACCESS_JOIN,
    INPUT_PURGE_STALE_RUNS,
    INPUT_CALLBACK_CLAIMED,
    INPUT_CALLBACK_HEARTBEAT,
    INPUT_CALLBACK_COMPLETED,
    INPUT_CALLBACK_FAILED,
    INPUT_WORKFLOW_RUN, /* github.workflow_run */
    INPUT_JOB_DISPATCHED,
    INPUT_JOB_SUCCEEDED,
    INPUT_JOB_FAILED,
    INPUT_JOB_CANCELLED,
    INPUT_TIMER_HEARTBEAT_MISSED,
    INPUT_TIMER_PROVISION_TIMEOUT,
    INPUT_TIMER_GRACE_ENDING,
    INPUT_TIMER_GRACE_EXPIRED,
    INPUT_MEMBER_REMOVED, /* member.removed: another user's event took this user out of a workspace */
    INPUT_TYPE_COUNT
};

/* What the rules of a type look at beside the user's own rows; the shell loads nothing else. Flags. */
enum input_reads {
    READS_WORKSPACES = 1,   /* the user's workspaces, those the event names, and all that belongs to them */
    READS_USAGE = 2,        /* usage of the day of the receipt */
    READS_EARLY_ACCESS = 4, /* whether the e-mail is there */
    READS_STALE_RUNS = 8,   /* open runs older than the event says, of everybody */
};

/* "stripe.customer.subscription.created" … to the type; INPUT_UNKNOWN for any other text. */
enum input_type input_type_of(struct sl_str ce_type);
const char *input_type_name(enum input_type type);                /* the canonical ce_type; "unknown" */
const char *input_type_alias(enum input_type type, size_t index); /* its other names, from 0; NULL behind the last */
bool input_type_is_command(enum input_type type);
bool input_type_is_stripe(enum input_type type);
bool input_type_is_timer(enum input_type type);
unsigned input_type_reads(enum input_type type); /* of enum input_reads */

/* customer.subscription.*: both layouts (the period on the subscription, or on its items since 2025-03-31). */
struct input_subscription {
    struct sl_str id;
    struct sl_str status; /* as Stripe spells it */
    struct sl_str price_id;
    int64_t current_period_start_s, current_period_end_s;
    int64_t trial_end_s, cancel_at_s, canceled_at_s;
    bool cancel_at_period_end;
};

struct input_invoice {
    struct sl_str id;
    struct sl_str subscription_id; /* both layouts; may be empty */
    struct sl_str hosted_url;
    int64_t amount_due; /* in the currency's smallest unit */
    struct sl_str currency;
};

struct input_checkout {
    struct sl_str session_id;
    struct sl_str payment_status; /* paid, unpaid, no_payment_required */
    struct sl_str subscription_id;
    struct sl_uuid agent_id; /* metadata.agentId or agent_id; nil: none */
    bool agent_id_malformed; /* given, but no UUID */
    bool names_user;         /* metadata.userId or user_id is there */
    struct sl_str region;    /* empty: the default */
};

/* payment_intent.payment_failed */
struct input_payment {
    struct sl_str id;
    struct sl_str reason; /* what Stripe says of it to people; empty: nothing */
};

struct input_agent {
    struct sl_uuid agent_id; /* nil in agent.create: derived from the event */
    struct sl_str name, region, backend;
    /* agent.repair: "orphan", "gone", "off" or "on", and the resource in which it was seen */
    struct sl_str found, server_id, tailscale_device_id, app_name;
};

/* checkout.start, workspace.plan_change */
struct input_billing {
    struct sl_str plan; /* a [plan NAME] */
    struct sl_str success_url, cancel_url;
    struct sl_str workspace_name;
    const struct sl_str *shared_workflow_ids;
    size_t shared_workflow_count;
};

/* workspace.*, invite.*, connection.*, run.*, member.removed, early_access.join */
struct input_workspace {
    struct sl_uuid workspace_id; /* nil: not given */
    struct sl_str member_id;
    struct sl_str email;        /* of the invitation or the early access, lower case */
    struct sl_str token;        /* workspace.invite: made by the shell, 43 characters base64url; empty: it has no key */
    struct sl_str token_sealed; /* of the token sent, as ingress published it; gone before a rule sees the input */
    struct sl_str token_sha256; /* 32 bytes; of an invitation's token, made or sent */
    struct sl_str connection_id, provider;
    struct sl_str sealed; /* connection.share: the token as it may be stored; empty: the shell has no key */
    struct sl_str workflow_id, run_id;
};

struct input_usage {
    struct sl_str metric; /* messages, api_calls */
    int64_t count;
};

struct input_purge {
    int64_t older_than_ms; /* 0: the policy's */
};

struct input_callback {
    struct sl_uuid job_id;
    struct sl_str run_id; /* digits or text, as sent */
    struct sl_str server_id, server_ip, tailscale_device_id, tailscale_ip;
    struct sl_str error;
};

struct input_workflow_run {
    struct sl_uuid job_id; /* from the display title "sluice <job_id>"; nil: not one of ours */
    struct sl_str run_id, action, conclusion;
};

/* job.*: what the executor reports. */
struct input_job {
    struct sl_uuid job_id;
    int64_t fence;        /* the fence it was settled under; an older one is stale */
    struct sl_str error;  /* failed */
    struct sl_str run_id; /* dispatched, where GitHub gave it */
    /* succeeded */
    struct sl_str server_id, server_ip, tailscale_device_id, tailscale_ip, app_name, frontend_url, backend_url;
    struct sl_str checkout_url, session_id, customer_id; /* a Stripe job's */
    int64_t effective_at_s, renews_at_s;
    struct sl_str catalog; /* a graph job's: JSON array text */
};

struct input_timer {
    struct sl_uuid timer_id;
    struct sl_str subject; /* a job's id, a subscription's, or a user's */
    struct sl_uuid job_id;
    int64_t due_at_ms; /* what it was set to when it fired: moved since means stale */
};

struct input {
    enum input_type type;
    struct sl_str ce_type; /* as sent */
    struct sl_str event_id, source;
    int64_t received_at_ms;         /* the only "now" of the rules */
    int64_t created_s;              /* Stripe's `created` of the event */
    struct sl_str user_id;          /* whose it is, once resolved; empty: unknown */
    struct sl_str user_named;       /* whom the event itself names (metadata, client_reference_id, command), or empty */
    struct sl_str customer_id;      /* Stripe's, or empty */
    struct sl_str customer_user_id; /* whose the customer is already, as the shell found it; empty: nobody's yet */
    struct sl_str email;            /* newest address that the event gives, or empty */
    struct sl_str reply_to;         /* where the event's request waits for its outcome; empty: nobody waits */
    struct sl_str actor; /* for the audit: "stripe", "github", "workflow", "system", "user:<id>", "ops:<name>" */
    union {
        struct input_subscription subscription;
        struct input_invoice invoice;
        struct input_checkout checkout;
        struct input_agent agent;
        struct input_billing billing;
        struct input_workspace workspace;
        struct input_usage usage;
        struct input_purge purge;
        struct input_payment payment;
        struct input_callback callback;
        struct input_workflow_run workflow_run;
        struct input_job job; /* also JOB_RETRY and JOB_CANCEL: job_id alone */
        struct input_timer timer;
    } as;
};

#endif
