-- What dlq needs beside a letter's last death: the deaths before it, whether a replay of it is on its way, and how it was closed.

CREATE SEQUENCE sluice.dead_letter_seq;
ALTER TABLE sluice.dead_letters
    -- Of its last death: a replay takes those that died before it began, so that one which dies again is not taken twice.
    ADD seq         bigint NOT NULL DEFAULT nextval('sluice.dead_letter_seq'),
    -- Deaths before the last one, oldest first, the twenty newest: [{"stage", "cause", "error", "at", "partition", "offset"}, …].
    ADD previous    jsonb NOT NULL DEFAULT '[]',
    ADD replayed_at timestamptz,                -- published again, and not decided yet; NULL: nothing is on its way
    ADD replays     integer NOT NULL DEFAULT 0,
    ADD retry_id    text,                       -- of a job: the event id of the job.retry that was published for it
    ADD closed_at   timestamptz,
    ADD closed_by   text,                       -- who discarded it; NULL: the decision on its replay closed it
    ADD reason      text;                       -- why it was discarded

-- dlq goes through letters in the order of the log.
CREATE INDEX dead_letters_place ON sluice.dead_letters (partition, "offset", id) WHERE status = 'open';
-- A decision closes the letters of its event, and a retry those of its job.
CREATE INDEX dead_letters_event ON sluice.dead_letters (event_id) WHERE status = 'open';
CREATE INDEX dead_letters_job ON sluice.dead_letters (job_id) WHERE status = 'open' AND job_id IS NOT NULL;
