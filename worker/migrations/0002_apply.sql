-- What worker/apply needs beside the tables: the fence on positions, and the hold behind a dead letter.

-- Moves the positions of one worker's batch. Each must stand where the batch started: else another worker owns the partition now
-- (or the batch was committed before, and its answer lost), and the whole transaction fails with SQLSTATE SL001.
CREATE FUNCTION sluice.move_offsets(of_topic text, partitions integer[], starts bigint[], nexts bigint[],
                                    published bigint[], by_worker text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    moved integer;
BEGIN
    UPDATE sluice.offsets o
       SET next_offset = m.next_offset, published_offset = greatest(o.published_offset, m.published_offset),
           worker = by_worker, updated_at = now()
      FROM unnest(partitions, starts, nexts, published) AS m (partition, start_offset, next_offset, published_offset)
     WHERE o.topic = of_topic AND o.partition = m.partition AND o.next_offset = m.start_offset;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> cardinality(partitions) THEN
        RAISE EXCEPTION 'only % of % positions stand where the batch started', moved, cardinality(partitions)
            USING ERRCODE = 'SL001';
    END IF;
    RETURN moved;
END $$;

-- The headers of an event that is published once more: its new key and generation; nobody waits for its answer any longer.
CREATE FUNCTION sluice.replay_headers(headers jsonb, key text, generation integer) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(jsonb_agg(h ORDER BY position) FILTER (
               WHERE h ->> 0 NOT IN ('ce_partitionkey', 'sluice-replay', 'sluice-reply-to')), '[]'::jsonb)
           || jsonb_build_array(jsonb_build_array('ce_partitionkey', key),
                                jsonb_build_array('sluice-replay', generation::text))
      FROM jsonb_array_elements(headers) WITH ORDINALITY AS e (h, position)
$$;

-- Events behind their user's dead letter, whole, in the order they came. `released_at`: published again, to be decided in this order;
-- the row goes when that is done.
CREATE TABLE sluice.held_events (
    seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source      text NOT NULL,
    event_id    text NOT NULL,
    user_id     text NOT NULL REFERENCES sluice.users (id),
    headers     jsonb NOT NULL,
    value       bytea NOT NULL,
    received_at timestamptz NOT NULL,
    released_at timestamptz,
    UNIQUE (event_id, source)
);
CREATE INDEX held_events_user ON sluice.held_events (user_id, seq);
CREATE INDEX held_events_due ON sluice.held_events (seq) WHERE released_at IS NULL;
CREATE INDEX dead_letters_user ON sluice.dead_letters (user_id) WHERE status = 'open' AND stage IN ('decide', 'commit');
