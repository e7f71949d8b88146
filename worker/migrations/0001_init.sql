-- The state of Sluice: what is known of users (written by worker/apply alone), the jobs (created by apply, carried out by
-- worker/execute), and the log's positions. Times are timestamptz; ids of users, subscriptions and customers are the providers' text.

CREATE TABLE sluice.users (
    id                  text PRIMARY KEY,
    email               text,
    plan                text NOT NULL DEFAULT 'free',
    stripe_customer_id  text,
    pending_checkout    jsonb,
    last_error          text,
    last_error_at       timestamptz,
    onboarding_complete boolean NOT NULL DEFAULT false,
    email_created_s     bigint NOT NULL DEFAULT 0, -- of the event that gave the e-mail: an older one changes nothing
    invoice_created_s   bigint NOT NULL DEFAULT 0, -- newest invoice applied that names no subscription
    invoice_rank        smallint NOT NULL DEFAULT 0,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now()
);

-- A Stripe customer and whose it is. The row is also the lock under which events of a still unknown customer are parked.
CREATE TABLE sluice.customers (
    id        text PRIMARY KEY,
    user_id   text REFERENCES sluice.users (id),
    linked_at timestamptz
);
CREATE INDEX customers_user ON sluice.customers (user_id) WHERE user_id IS NOT NULL;

CREATE TABLE sluice.subscriptions (
    id                   text PRIMARY KEY,
    user_id              text NOT NULL REFERENCES sluice.users (id),
    customer_id          text,
    status               text NOT NULL,
    price_id             text,
    tier                 text NOT NULL DEFAULT 'free',
    max_agents           integer NOT NULL DEFAULT 1,    -- -1: unlimited
    max_messages_per_day integer NOT NULL DEFAULT 100,  -- -1: unlimited
    current_period_start timestamptz,
    current_period_end   timestamptz,
    trial_end            timestamptz,
    cancel_at            timestamptz,
    cancel_at_period_end boolean NOT NULL DEFAULT false,
    canceled_at          timestamptz,
    object_created_s     bigint NOT NULL DEFAULT 0,     -- `created` of the newest subscription event applied
    object_rank          smallint NOT NULL DEFAULT 0,   -- its rank within that second; 3 (deleted) is final
    invoice_created_s    bigint NOT NULL DEFAULT 0,     -- the same for its invoices
    invoice_rank         smallint NOT NULL DEFAULT 0,
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX subscriptions_user ON sluice.subscriptions (user_id);

CREATE TABLE sluice.agents (
    id                  uuid PRIMARY KEY,
    user_id             text NOT NULL REFERENCES sluice.users (id),
    name                text NOT NULL,
    backend             text NOT NULL,
    region              text NOT NULL,
    status              text NOT NULL CHECK (status IN ('draft', 'provisioning', 'active', 'stopping', 'paused',
                                                        'starting', 'destroying', 'destroyed', 'failed')),
    status_reason       text,
    server_id           text,
    server_ip           text,
    tailscale_device_id text,
    tailscale_ip        text,
    app_name            text,
    frontend_url        text,
    backend_url         text,
    memory_limit_mb     integer,
    cpu_limit           double precision,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX agents_user ON sluice.agents (user_id);

-- One row per accepted event id: what became of it. Hash-partitioned, so that the id is unique for good; the raw payload stays in Kafka.
CREATE TABLE sluice.events (
    source      text NOT NULL,
    id          text NOT NULL,
    type        text NOT NULL,
    user_id     text,
    topic       text NOT NULL,
    partition   integer NOT NULL,
    "offset"    bigint NOT NULL,
    sha256      bytea NOT NULL,
    outcome     text NOT NULL CHECK (outcome IN ('applied', 'rejected', 'ignored', 'parked', 'held', 'dead')),
    error_code  text,
    rule        text,
    generation  integer NOT NULL DEFAULT 0, -- the replay that decided it
    result      jsonb,                      -- agent_id, job_ids, message, data: the outcome's own fields
    received_at timestamptz NOT NULL,
    decided_at  timestamptz NOT NULL,
    PRIMARY KEY (id, source)
) PARTITION BY HASH (id);
DO $$
BEGIN
    FOR i IN 0..15 LOOP
        EXECUTE format('CREATE TABLE sluice.events_%s PARTITION OF sluice.events FOR VALUES WITH (MODULUS 16, REMAINDER %s)',
                       lpad(i::text, 2, '0'), i);
    END LOOP;
END $$;
CREATE INDEX events_user ON sluice.events (user_id, received_at);

CREATE SEQUENCE sluice.job_seq;

-- status: queued -> running (leased by a worker) -> waiting (for a workflow's callbacks) -> succeeded | failed | cancelled.
-- The executor owns step, attempt, run_after, lease_until, worker and result while it holds the fence; apply owns the rest.
CREATE TABLE sluice.jobs (
    id               uuid PRIMARY KEY,
    seq              bigint NOT NULL DEFAULT nextval('sluice.job_seq'), -- the order decided
    user_id          text NOT NULL REFERENCES sluice.users (id),
    agent_id         uuid,
    kind             text NOT NULL CHECK (kind IN ('provision', 'start', 'stop', 'destroy', 'rollback', 'update_limits',
                                                   'deprovision', 'email', 'stripe', 'graph')),
    backend          text NOT NULL DEFAULT '',
    status           text NOT NULL CHECK (status IN ('queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled')),
    priority         smallint NOT NULL DEFAULT 1,   -- 0 stop and delete, 1 create and start, 2 the rest
    args             jsonb NOT NULL DEFAULT '{}',
    step             text,                          -- the recipe's step under way
    attempt          integer NOT NULL DEFAULT 0,    -- of that step, failed attempts so far
    generation       integer NOT NULL DEFAULT 0,    -- counts retries by command
    fence            bigint NOT NULL DEFAULT 0,     -- every claim and every decision about it raises it; writers name it
    result           jsonb NOT NULL DEFAULT '{}',   -- what the steps found, by name
    settled          boolean NOT NULL DEFAULT false, -- its outcome is on the way as a job.* event; nobody claims it again
    cancel_requested boolean NOT NULL DEFAULT false,
    run_id           text,                          -- of the workflow run that claimed it
    dispatched_run_id text,                         -- of the run that GitHub said it would start: a hint, no claim
    cause_source     text,
    cause_event_id   text,
    rule             text,
    error            text,
    worker           text,
    run_after        timestamptz NOT NULL DEFAULT now(),
    lease_until      timestamptz,
    deadline_at      timestamptz,                   -- past it, attempts end
    claimed_at       timestamptz,                   -- by the workflow run
    heartbeat_at     timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    ended_at         timestamptz
);
-- At most one job of an agent is under way, and one provision of a user.
CREATE UNIQUE INDEX jobs_one_per_agent ON sluice.jobs (agent_id) WHERE status IN ('running', 'waiting');
CREATE UNIQUE INDEX jobs_one_provision_per_user ON sluice.jobs (user_id)
    WHERE kind = 'provision' AND status IN ('running', 'waiting');
CREATE INDEX jobs_claim ON sluice.jobs (priority, seq) WHERE status = 'queued';
CREATE INDEX jobs_open_agent ON sluice.jobs (agent_id, seq) WHERE status IN ('queued', 'running', 'waiting');
CREATE INDEX jobs_open_user ON sluice.jobs (user_id, seq) WHERE status IN ('queued', 'running', 'waiting');
CREATE INDEX jobs_lease ON sluice.jobs (lease_until) WHERE status = 'running';
CREATE INDEX jobs_user ON sluice.jobs (user_id, seq);

-- Every call to a cloud, as it ended. Append-only.
CREATE TABLE sluice.job_calls (
    id      bigint GENERATED ALWAYS AS IDENTITY,
    job_id  uuid NOT NULL,
    fence   bigint NOT NULL,
    step    text NOT NULL,
    attempt integer NOT NULL,
    cloud   text NOT NULL,
    method  text NOT NULL,
    path    text NOT NULL,
    status  integer NOT NULL,              -- 0: no answer
    verdict text NOT NULL,                 -- done, not_done, unknown, refused
    error   text,
    took_ms integer NOT NULL,
    at      timestamptz NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX job_calls_job ON sluice.job_calls (job_id, id);

CREATE TABLE sluice.timers (
    id           uuid PRIMARY KEY,
    user_id      text NOT NULL REFERENCES sluice.users (id),
    kind         text NOT NULL,             -- heartbeat_missed, provision_timeout, …; the event is timer.<kind>
    subject      text NOT NULL,             -- the job, agent or subscription concerned
    due_at       timestamptz NOT NULL,
    fired_at     timestamptz,
    cancelled_at timestamptz,
    data         jsonb NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX timers_due ON sluice.timers (due_at) WHERE fired_at IS NULL AND cancelled_at IS NULL;
CREATE INDEX timers_user ON sluice.timers (user_id);

CREATE TABLE sluice.audit_log (
    id       bigint GENERATED ALWAYS AS IDENTITY,
    at       timestamptz NOT NULL,
    actor    text NOT NULL,                 -- user:<id>, stripe, github, workflow, system, ops:<name>
    user_id  text,
    action   text NOT NULL,
    target   text,                          -- agent:<id>, job:<id>, subscription:<id>
    event_id text,
    rule     text,
    detail   jsonb,
    PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);
CREATE INDEX audit_log_user ON sluice.audit_log (user_id, at);

-- Makes the monthly partitions of audit_log from the month of `first` on; safe to call at any time by anyone.
CREATE FUNCTION sluice.ensure_partitions(first timestamptz, months integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    month_start timestamptz := date_trunc('month', first AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
    month_end   timestamptz;
    name        text;
    made        integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('sluice.ensure_partitions'));
    FOR i IN 1..months LOOP
        month_end := ((month_start AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC';
        name := 'audit_log_' || to_char(month_start AT TIME ZONE 'UTC', 'YYYY_MM');
        IF to_regclass('sluice.' || name) IS NULL THEN
            EXECUTE format('CREATE TABLE sluice.%I PARTITION OF sluice.audit_log FOR VALUES FROM (%L) TO (%L)',
                           name, month_start, month_end);
            made := made + 1;
        END IF;
        month_start := month_end;
    END LOOP;
    RETURN made;
END $$;
-- Whatever falls outside the months made stays readable: a clock that is wrong loses no audit.
CREATE TABLE sluice.audit_log_other PARTITION OF sluice.audit_log DEFAULT;
SELECT sluice.ensure_partitions(now(), 6);

-- Messages decided but not yet known to be in Kafka. `headers` is [["name","value"], …]; a value that is not UTF-8 is {"base64": "…"}.
CREATE TABLE sluice.outbox (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic      text NOT NULL,
    key        bytea,
    headers    jsonb NOT NULL,
    value      bytea,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Events of customers whose user is not known yet, whole, in the order they came.
CREATE TABLE sluice.parked_events (
    seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source      text NOT NULL,
    event_id    text NOT NULL,
    customer_id text NOT NULL REFERENCES sluice.customers (id),
    headers     jsonb NOT NULL,
    value       bytea NOT NULL,
    received_at timestamptz NOT NULL,
    UNIQUE (event_id, source)
);
CREATE INDEX parked_events_customer ON sluice.parked_events (customer_id, seq);

CREATE TABLE sluice.dead_letters (
    id          uuid PRIMARY KEY,
    event_id    text,
    user_id     text,
    source      text,
    type        text,
    stage       text NOT NULL,              -- decode, decide, commit, execute
    cause       text NOT NULL,              -- a class to group by: unreadable, database, attempts_exhausted, …
    error       text NOT NULL,
    attempts    integer NOT NULL DEFAULT 1,
    status      text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'replayed', 'discarded')),
    topic       text,
    partition   integer,
    "offset"    bigint,
    job_id      uuid,
    first_at    timestamptz NOT NULL,
    last_at     timestamptz NOT NULL
);
CREATE INDEX dead_letters_open ON sluice.dead_letters (cause, last_at) WHERE status = 'open';

-- Where the fleet stands in the log. `next_offset` moves in the transaction of the effects; outcomes up to `published_offset` are known to be in Kafka.
CREATE TABLE sluice.offsets (
    topic            text NOT NULL,
    partition        integer NOT NULL,
    next_offset      bigint NOT NULL,
    published_offset bigint NOT NULL,
    worker           text,
    updated_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

CREATE TABLE sluice.workers (
    id         text PRIMARY KEY,
    host       text NOT NULL,
    pid        integer NOT NULL,
    version    text NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL
);

-- What each worker last saw of a cloud: its breaker, and the variable it misses.
CREATE TABLE sluice.cloud_state (
    cloud      text NOT NULL,
    worker     text NOT NULL,
    breaker    text NOT NULL,               -- closed, open, half_open, unconfigured
    reason     text,
    remaining  integer,                     -- requests left, as the cloud's headers last said
    reset_at   timestamptz,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (cloud, worker)
);
