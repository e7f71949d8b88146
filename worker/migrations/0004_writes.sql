-- What the writers of several users' rows need: a write that found another's row in its place fails as a whole.

-- With SQLSTATE unique_violation (23505), as if the row had been inserted without ON CONFLICT: the transaction is tried again, and sees the
-- other's row this time.
CREATE FUNCTION sluice.all_written(written bigint, expected bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    IF written <> expected THEN
        RAISE EXCEPTION 'only % of % rows were written: the others are another''s by now', written, expected
            USING ERRCODE = 'unique_violation';
    END IF;
    RETURN written;
END $$;

-- A subscription's end finds the workspaces that it pays for.
CREATE INDEX workspace_billing_cycles_subscription ON sluice.workspace_billing_cycles (subscription_id);
