-- What plans, workspaces, usage and e-mail need: columns of what is there already, and the tables that several users share.

-- Billing of the workspace plan. `billing_created_s`: `created` of the newest checkout or payment event applied to it; older ones change nothing.
ALTER TABLE sluice.users ADD billing_created_s bigint NOT NULL DEFAULT 0;
-- pending_checkout: {"job_id","session_id","plan","workspace_name","shared_workflow_ids":[…]}; session_id is missing until Stripe has answered.

ALTER TABLE sluice.agents
    ADD subscription_id text,   -- whose instance it is (a new subscription brought it); NULL: nobody's
    ADD stopped_by      text;   -- the subscription (or user) whose failed payment stopped it; NULL: stopped by command, or running
CREATE INDEX agents_subscription ON sluice.agents (subscription_id) WHERE subscription_id IS NOT NULL;

-- A command whose answer needs a cloud is answered when its job ends: with its own type and id (cause_source, cause_event_id), to where
-- its request waits.
ALTER TABLE sluice.jobs
    ADD answer_type text,       -- ce_type of the command that waits for this job; NULL: none does
    ADD reply_to    text;       -- partition/correlation id on the replies topic; NULL: nobody waits

CREATE TABLE sluice.workspaces (
    id            uuid PRIMARY KEY,
    name          text NOT NULL,
    owner_id      text NOT NULL REFERENCES sluice.users (id),
    tier          text NOT NULL DEFAULT 'solo',         -- a [plan NAME]: its members and runs are the limits
    runs_used     integer NOT NULL DEFAULT 0,           -- runs started since runs_since
    runs_since    timestamptz,                          -- begin of the window counted: the billing cycle's, else the UTC month's
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    closed_at     timestamptz                           -- its last member has left
);
CREATE INDEX workspaces_owner ON sluice.workspaces (owner_id) WHERE closed_at IS NULL;

-- Follows the period of the owner's subscription; no row: none pays for it.
CREATE TABLE sluice.workspace_billing_cycles (
    workspace_id     uuid PRIMARY KEY REFERENCES sluice.workspaces (id),
    subscription_id  text NOT NULL,
    cycle_started_at timestamptz NOT NULL,
    renews_at        timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE sluice.workspace_members (
    workspace_id uuid NOT NULL REFERENCES sluice.workspaces (id),
    user_id      text NOT NULL REFERENCES sluice.users (id),
    role         text NOT NULL CHECK (role IN ('owner', 'admin', 'member')),
    joined_at    timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, user_id)
);
CREATE INDEX workspace_members_user ON sluice.workspace_members (user_id);

-- The token itself is in the invitation's e-mail alone.
CREATE TABLE sluice.invites (
    id           uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES sluice.workspaces (id),
    email        text NOT NULL,                         -- lower case
    token_sha256 bytea NOT NULL UNIQUE,
    invited_by   text NOT NULL REFERENCES sluice.users (id),
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    accepted_at  timestamptz,
    accepted_by  text REFERENCES sluice.users (id),
    revoked_at   timestamptz
);
CREATE INDEX invites_workspace ON sluice.invites (workspace_id) WHERE accepted_at IS NULL AND revoked_at IS NULL;
CREATE INDEX invites_email ON sluice.invites (email) WHERE accepted_at IS NULL AND revoked_at IS NULL;

-- A provider's account that a member shares with a workspace. `sealed` is the token, AES-256-GCM: "KEY_ID:base64(nonce, tag, ciphertext)",
-- bound to workspace and connection. Purged (deleted) on unshare, leave, revoke and downgrade.
CREATE TABLE sluice.connections (
    workspace_id uuid NOT NULL REFERENCES sluice.workspaces (id),
    id           text NOT NULL,
    provider     text NOT NULL,
    shared_by    text NOT NULL REFERENCES sluice.users (id),
    sealed       text NOT NULL,
    catalog      jsonb,                                 -- what the provider listed last: teams and their channels
    shared_at    timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX connections_shared_by ON sluice.connections (shared_by);

CREATE TABLE sluice.shared_workflows (
    workspace_id uuid NOT NULL REFERENCES sluice.workspaces (id),
    workflow_id  text NOT NULL,
    shared_by    text NOT NULL REFERENCES sluice.users (id),
    shared_at    timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, workflow_id)
);

CREATE TABLE sluice.runs (
    workspace_id uuid NOT NULL REFERENCES sluice.workspaces (id),
    id           text NOT NULL,
    workflow_id  text NOT NULL,
    user_id      text NOT NULL REFERENCES sluice.users (id),
    started_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    end_reason   text CHECK (end_reason IN ('finished', 'purged')),
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX runs_id ON sluice.runs (id);
CREATE INDEX runs_open ON sluice.runs (started_at) WHERE ended_at IS NULL;

CREATE TABLE sluice.usage_daily (
    user_id  text NOT NULL REFERENCES sluice.users (id),
    day      date NOT NULL,                             -- UTC, of the receipt
    metric   text NOT NULL,                             -- messages, api_calls
    count    bigint NOT NULL DEFAULT 0,
    told_at  timestamptz,                               -- when the user was told that the day's limit is reached
    PRIMARY KEY (user_id, day, metric)
) WITH (fillfactor = 70);

CREATE TABLE sluice.early_access (
    email     text PRIMARY KEY,                         -- lower case
    joined_at timestamptz NOT NULL
);

-- A call is told once: its place among the job's calls under one fence. NULL: of a time before this column.
ALTER TABLE sluice.job_calls ADD number integer;
CREATE UNIQUE INDEX job_calls_once ON sluice.job_calls (job_id, fence, number);

-- Jobs that somebody waits for, and no longer than this: found when it has passed.
CREATE INDEX jobs_overdue ON sluice.jobs (deadline_at) WHERE status = 'queued' AND deadline_at IS NOT NULL;
