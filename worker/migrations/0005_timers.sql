-- A timer counts until its event is decided, however long that was published before: what the sweep had done by then is chance, the order of
-- the log is not.
ALTER TABLE sluice.timers ADD decided_at timestamptz;
UPDATE sluice.timers SET decided_at = fired_at WHERE fired_at IS NOT NULL;
CREATE INDEX timers_open ON sluice.timers (user_id) WHERE decided_at IS NULL AND cancelled_at IS NULL;
DROP INDEX sluice.timers_user;
