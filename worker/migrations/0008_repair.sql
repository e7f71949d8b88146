-- What ops repair with: backends that are paused, and what was seen in the clouds that isn't as the books say.

-- Whose requests a job makes first: the home cloud of its recipe, as worker/execute has it. Of a job that is queued this is who is waited for.
CREATE FUNCTION sluice.cloud_of(kind text, backend text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN kind IN ('start', 'stop', 'destroy', 'rollback') THEN 'hetzner'
                WHEN kind = 'provision' AND backend = 'github-actions' THEN 'github'
                ELSE backend END
$$;

-- Queued jobs of a backend, or of a cloud, that is named here are not claimed. Deciding goes on.
CREATE TABLE sluice.paused (
    backend   text PRIMARY KEY CHECK (backend IN ('hetzner', 'github-actions', 'provisioner', 'github', 'resend', 'stripe', 'graph')),
    by_whom   text NOT NULL,
    reason    text,
    paused_at timestamptz NOT NULL DEFAULT now()
);

-- When each cloud was last listed as a whole, and what kept it from being seen.
CREATE TABLE sluice.looks (
    cloud     text PRIMARY KEY,
    tried_at  timestamptz NOT NULL,
    seen_at   timestamptz,                -- the last look that saw all of it
    resources integer NOT NULL DEFAULT 0, -- then
    problem   text                        -- of the last try; NULL: none
);

-- What such a look found that the books don't explain. A finding that is gone keeps its row until retention takes it.
CREATE TABLE sluice.findings (
    finding      text NOT NULL CHECK (finding IN ('missing', 'foreign', 'drifted', 'orphaned')),
    cloud        text NOT NULL,
    resource_id  text NOT NULL,
    name         text NOT NULL,
    agent_id     uuid,
    user_id      text,
    detail       text NOT NULL,
    mend         text,                        -- what command.agent.repair is to call it; NULL: by hand
    books        text NOT NULL,               -- digest of what the books said of the agent: another one begins anew
    looks        integer NOT NULL DEFAULT 1,  -- in which it was seen with these books
    cost_per_day numeric(12, 4),              -- NULL: the cloud says no price
    currency     text,
    first_seen   timestamptz NOT NULL,
    last_seen    timestamptz NOT NULL,
    fix_event_id text,                        -- of the last command that was to mend it
    fix_asked_at timestamptz,
    fixed_at     timestamptz,                 -- not seen any more after a fix was asked for
    gone_at      timestamptz,                 -- not seen any more
    PRIMARY KEY (finding, cloud, resource_id)
);
CREATE INDEX findings_present ON sluice.findings (finding, cloud) WHERE gone_at IS NULL;

-- The ledger of orphans: what costs money and belongs to nobody.
CREATE VIEW sluice.orphans AS
    SELECT cloud, resource_id AS id, name, agent_id, user_id, first_seen, last_seen, cost_per_day, currency, fixed_at, gone_at
      FROM sluice.findings WHERE finding = 'orphaned';
