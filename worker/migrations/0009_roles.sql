-- Who may do what: a role of Postgres for each program. Roles belong to the whole server and have passwords, so they are made by whoever
-- runs it (deploy/postgres/roles.sql); this says what each may do. `sluicectl migrate` applies it at its end, every time: a role that
-- was made meanwhile gets its grants by migrating once more, and a migration that makes a table adds a row here.

-- `columns` NULL: the whole table. A table that no row names is open to worker and sluicectl (read and write rows) and to nobody else.
CREATE TABLE sluice.program_grants (
    role       text NOT NULL CHECK (role IN ('sluice_worker', 'sluice_console', 'sluice_ctl')),
    relation   text NOT NULL,
    privileges text NOT NULL,
    columns    text,
    PRIMARY KEY (role, relation, privileges)
);

INSERT INTO sluice.program_grants (role, relation, privileges) VALUES
    -- worker: what it never does it can't: nothing is deleted from the books, and the audit log only grows
    ('sluice_worker', 'users', 'SELECT, INSERT, UPDATE'),
    ('sluice_worker', 'customers', 'SELECT, INSERT, UPDATE'),
    ('sluice_worker', 'subscriptions', 'SELECT, INSERT, UPDATE'),
    ('sluice_worker', 'agents', 'SELECT, INSERT, UPDATE'),
    ('sluice_worker', 'events', 'SELECT, INSERT, UPDATE'),
    ('sluice_worker', 'jobs', 'SELECT, INSERT, UPDATE'),
    ('sluice_worker', 'job_calls', 'SELECT, INSERT, UPDATE'),
    ('sluice_worker', 'timers', 'SELECT, INSERT, UPDATE'),
    ('sluice_worker', 'audit_log', 'SELECT, INSERT'),
    ('sluice_worker', 'outbox', 'SELECT, INSERT, UPDATE, DELETE'),
    ('sluice_worker', 'parked_events', 'SELECT, INSERT, UPDATE, DELETE'),
    ('sluice_worker', 'held_events', 'SELECT, INSERT, UPDATE, DELETE'),
    ('sluice_worker', 'dead_letters', 'SELECT, INSERT, UPDATE'),
    ('sluice_worker', 'offsets', 'SELECT, INSERT, UPDATE'),
    ('sluice_worker', 'workers', 'SELECT, INSERT, UPDATE, DELETE'),
    ('sluice_worker', 'cloud_state', 'SELECT, INSERT, UPDATE'),
    ('sluice_worker', 'workspaces', 'SELECT, INSERT, UPDATE'),
    ('sluice_worker', 'workspace_billing_cycles', 'SELECT, INSERT, UPDATE, DELETE'),
    ('sluice_worker', 'workspace_members', 'SELECT, INSERT, UPDATE, DELETE'),
    ('sluice_worker', 'invites', 'SELECT, INSERT, UPDATE'),
    ('sluice_worker', 'connections', 'SELECT, INSERT, UPDATE, DELETE'),
    ('sluice_worker', 'shared_workflows', 'SELECT, INSERT, UPDATE, DELETE'),
    ('sluice_worker', 'runs', 'SELECT, INSERT, UPDATE'),
    ('sluice_worker', 'usage_daily', 'SELECT, INSERT, UPDATE'),
    ('sluice_worker', 'early_access', 'SELECT, INSERT, UPDATE'),
    ('sluice_worker', 'paused', 'SELECT'),
    ('sluice_worker', 'looks', 'SELECT, INSERT, UPDATE, DELETE'),
    ('sluice_worker', 'findings', 'SELECT, INSERT, UPDATE, DELETE'),
    ('sluice_worker', 'orphans', 'SELECT'),
    ('sluice_worker', 'schema_migrations', 'SELECT'),
    ('sluice_worker', 'program_grants', 'SELECT'),
    -- sluicectl: its commands go through the events topic; here it reads, says in the audit log who did what, and keeps the dead letters
    ('sluice_ctl', 'users', 'SELECT'),
    ('sluice_ctl', 'customers', 'SELECT'),
    ('sluice_ctl', 'subscriptions', 'SELECT'),
    ('sluice_ctl', 'agents', 'SELECT'),
    ('sluice_ctl', 'events', 'SELECT'),
    ('sluice_ctl', 'jobs', 'SELECT'),
    ('sluice_ctl', 'job_calls', 'SELECT'),
    ('sluice_ctl', 'timers', 'SELECT'),
    ('sluice_ctl', 'audit_log', 'SELECT, INSERT'),
    ('sluice_ctl', 'outbox', 'SELECT'),
    ('sluice_ctl', 'parked_events', 'SELECT'),
    ('sluice_ctl', 'held_events', 'SELECT'),
    ('sluice_ctl', 'dead_letters', 'SELECT, UPDATE'),
    ('sluice_ctl', 'offsets', 'SELECT'),
    ('sluice_ctl', 'workers', 'SELECT'),
    ('sluice_ctl', 'cloud_state', 'SELECT'),
    ('sluice_ctl', 'workspaces', 'SELECT'),
    ('sluice_ctl', 'workspace_billing_cycles', 'SELECT'),
    ('sluice_ctl', 'workspace_members', 'SELECT'),
    -- a dry run decides as the worker does: it reads all that rules may look at
    ('sluice_ctl', 'connections', 'SELECT'),
    ('sluice_ctl', 'invites', 'SELECT'),
    ('sluice_ctl', 'shared_workflows', 'SELECT'),
    ('sluice_ctl', 'runs', 'SELECT'),
    ('sluice_ctl', 'usage_daily', 'SELECT'),
    ('sluice_ctl', 'early_access', 'SELECT'),
    ('sluice_ctl', 'paused', 'SELECT, INSERT, UPDATE, DELETE'),
    ('sluice_ctl', 'looks', 'SELECT, INSERT, UPDATE, DELETE'),
    ('sluice_ctl', 'findings', 'SELECT, INSERT, UPDATE, DELETE'),
    ('sluice_ctl', 'orphans', 'SELECT'),
    ('sluice_ctl', 'schema_migrations', 'SELECT'),
    ('sluice_ctl', 'program_grants', 'SELECT'),
    -- console: what its reads show
    ('sluice_console', 'users', 'SELECT'),
    ('sluice_console', 'subscriptions', 'SELECT'),
    ('sluice_console', 'agents', 'SELECT'),
    ('sluice_console', 'job_calls', 'SELECT'),
    ('sluice_console', 'usage_daily', 'SELECT'),
    ('sluice_console', 'workspaces', 'SELECT'),
    ('sluice_console', 'shared_workflows', 'SELECT'),
    ('sluice_console', 'workspace_billing_cycles', 'SELECT'),
    ('sluice_console', 'workspace_members', 'SELECT');

-- A connection's token stays with those who decide, even sealed; so does the digest by which an invitation is found, and what a job is told.
ALTER TABLE sluice.connections ADD data_key text GENERATED ALWAYS AS (split_part(sealed, ':', 1)) STORED;
INSERT INTO sluice.program_grants (role, relation, privileges, columns) VALUES
    ('sluice_console', 'connections', 'SELECT',
     'workspace_id, id, provider, shared_by, shared_at, updated_at, catalog'),
    ('sluice_console', 'invites', 'SELECT',
     'id, workspace_id, email, invited_by, created_at, expires_at, accepted_at, accepted_by, revoked_at'),
    ('sluice_console', 'jobs', 'SELECT',
     'id, seq, agent_id, user_id, kind, backend, status, step, attempt, run_id, cause_event_id, rule, error, heartbeat_at,'
     ' created_at, updated_at, ended_at, run_after, deadline_at, claimed_at');

-- Partitions are made by the worker's sweep, which may make no table otherwise.
ALTER FUNCTION sluice.ensure_partitions(timestamptz, integer) SECURITY DEFINER;
ALTER FUNCTION sluice.ensure_partitions(timestamptz, integer) SET search_path = pg_catalog, pg_temp;
REVOKE ALL ON FUNCTION sluice.ensure_partitions(timestamptz, integer) FROM PUBLIC;

-- Makes the grants what the table says, taking back all others; roles that are not there are left out.
CREATE FUNCTION sluice.grant_programs() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    program  text;
    relation text;
    granted  record;
BEGIN
    FOR program IN SELECT rolname FROM pg_roles WHERE rolname IN ('sluice_worker', 'sluice_console', 'sluice_ctl') LOOP
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA sluice FROM %I', program);
        EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA sluice FROM %I', program);
        EXECUTE format('GRANT USAGE ON SCHEMA sluice TO %I', program);
        FOR granted IN SELECT g.* FROM sluice.program_grants g
                        WHERE g.role = program AND to_regclass('sluice.' || quote_ident(g.relation)) IS NOT NULL LOOP
            EXECUTE format('GRANT %s %s ON sluice.%I TO %I', granted.privileges,
                           coalesce('(' || granted.columns || ')', ''), granted.relation, program);
        END LOOP;
        IF program <> 'sluice_console' THEN
            EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA sluice TO %I', program);
            FOR relation IN SELECT c.relname FROM pg_class c
                             WHERE c.relnamespace = 'sluice'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
                               AND NOT EXISTS (SELECT FROM sluice.program_grants g WHERE g.relation = c.relname) LOOP
                EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON sluice.%I TO %I', relation, program);
            END LOOP;
        END IF;
        IF program = 'sluice_worker' THEN
            GRANT EXECUTE ON FUNCTION sluice.ensure_partitions(timestamptz, integer) TO sluice_worker;
        END IF;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION sluice.grant_programs() FROM PUBLIC;
