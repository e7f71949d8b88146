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
    INPUT_STRIPE_CUSTOMER, /* customer.created, .updated */
    INPUT_AGENT_CREATE,
    INPUT_AGENT_PROVISION,
    INPUT_AGENT_START,
    INPUT_AGENT_STOP,
    INPUT_AGENT_DESTROY,
    INPUT_JOB_RETRY,
    INPUT_JOB_CANCEL,
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
    INPUT_TYPE_COUNT
};

/* "stripe.customer.subscription.created" … to the type; INPUT_UNKNOWN for any other text. */
enum input_type input_type_of(struct sl_str ce_type);
const char *input_type_name(enum input_type type); /* the canonical ce_type; "unknown" */
bool input_type_is_command(enum input_type type);
bool input_type_is_stripe(enum input_type type);

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

struct input_agent {
    struct sl_uuid agent_id; /* nil in agent.create: derived from the event */
    struct sl_str name, region, backend;
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
};

struct input_timer {
    struct sl_uuid timer_id;
    struct sl_str subject; /* a job's id for both kinds of today */
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
    struct sl_str actor; /* for the audit: "stripe", "github", "workflow", "system", "user:<id>", "ops:<name>" */
    union {
        struct input_subscription subscription;
        struct input_invoice invoice;
        struct input_checkout checkout;
        struct input_agent agent;
        struct input_callback callback;
        struct input_workflow_run workflow_run;
        struct input_job job; /* also JOB_RETRY and JOB_CANCEL: job_id alone */
        struct input_timer timer;
    } as;
};

#endif
