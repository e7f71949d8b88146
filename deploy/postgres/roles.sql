-- The roles of Sluice's programs, for whoever runs the server: psql as a superuser (or a role with CREATEROLE), then `sluicectl migrate`
-- as sluice_owner, which makes the schema and says what each role may do (table sluice.program_grants). Safe to run again.
--
--   psql -v database=sluice -v owner_password=… -v worker_password=… -v console_password=… -v ctl_password=… -f roles.sql
--
-- Each program's DATABASE_URL names its own role: sluice-worker sluice_worker, sluice-console sluice_console, sluicectl sluice_ctl, and
-- `sluicectl migrate` sluice_owner. sluice-ingress has none.

-- the name of earlier releases
SELECT 'ALTER ROLE sluice RENAME TO sluice_owner'
 WHERE EXISTS (SELECT FROM pg_roles WHERE rolname = 'sluice') AND NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sluice_owner') \gexec

SELECT format('CREATE ROLE %I', name)
  FROM unnest(ARRAY['sluice_owner', 'sluice_worker', 'sluice_console', 'sluice_ctl']) AS name
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

ALTER ROLE sluice_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'owner_password';
ALTER ROLE sluice_worker LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'worker_password';
ALTER ROLE sluice_ctl LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'ctl_password';
ALTER ROLE sluice_console LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'console_password';
-- who migrates may end their sessions
GRANT sluice_worker, sluice_console, sluice_ctl TO sluice_owner;
ALTER ROLE sluice_console SET default_transaction_read_only = on;

SELECT format('CREATE DATABASE %I OWNER sluice_owner', :'database')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'database') \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO sluice_worker, sluice_console, sluice_ctl', :'database') \gexec
