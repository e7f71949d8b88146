-- What deciding the log again needs beside the log: in which order the decisions of several partitions were made, what they changed, and
-- what the executor alone knew when they were.

-- One step a transaction, which numbers its events from there on: a transaction that waited for another's locks has the higher numbers.
CREATE SEQUENCE sluice.decision_no INCREMENT BY 4096 START WITH 4096;

ALTER TABLE sluice.events
    ADD decided_no bigint, -- place among all decisions; those of one transaction have the same quotient by 4096. NULL: of a time before
    ADD effects    bigint, -- digest of all that the decision changed (apply/digest.h)
    ADD seen       jsonb,  -- {"JOB":["status","step",settled,fence]}: the executor's columns as the decision found them; NULL: nothing of note
    ADD earlier    jsonb;  -- what the row said while the event was parked, held or dead: an array, oldest first

-- `earlier` with what the row says now: the latest fifty.
CREATE FUNCTION sluice.decisions_earlier(e sluice.events) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN jsonb_array_length(e.earlier) >= 50 THEN e.earlier - 0 ELSE coalesce(e.earlier, '[]') END
           || jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
                  'outcome', e.outcome, 'error_code', e.error_code, 'rule', e.rule, 'generation', e.generation,
                  'partition', e.partition, 'offset', e."offset",
                  'decided_at_ms', floor(extract(epoch FROM e.decided_at) * 1000)::bigint,
                  'decided_no', e.decided_no, 'effects', e.effects, 'seen', e.seen, 'result', e.result)))
$$;
