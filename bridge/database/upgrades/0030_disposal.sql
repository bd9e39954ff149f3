-- What is disposed of: payload and salt go, the leaf stays, an entry of the ledger says why.

ALTER TABLE event
    ALTER COLUMN salt DROP NOT NULL,
    ALTER COLUMN body DROP NOT NULL,
    -- Not valid: of what is there already both were NOT NULL, and reading all of it would take long.
    ADD CONSTRAINT event_is_whole_or_disposed CHECK ((salt IS NULL) = (body IS NULL)) NOT VALID,
    -- What was disposed of shall leave the disk soon, however much else there is.
    SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- Which records were disposed of, by which entry of the ledger. Rows are only added, by dispose_events.
CREATE TABLE disposed (
    seq       bigint PRIMARY KEY REFERENCES event,
    at        timestamptz NOT NULL,
    reason    text NOT NULL,
    entry_seq bigint NOT NULL REFERENCES event
);

CREATE INDEX disposed_entry_seq ON disposed (entry_seq);

-- Takes payload and salt of the records that the entry at `entry` names in content.details.positions, a list of
-- [first, last]. The entry must have been appended in this database transaction; entries themselves stay. The only way
-- for the running service, which may not update the table. Returns the positions.
CREATE FUNCTION dispose_events(entry bigint) RETURNS SETOF bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    decision jsonb;
    said text;
BEGIN
    SELECT convert_from(body, 'UTF8')::jsonb #> '{content,details}' INTO decision FROM event
    WHERE seq = entry AND type = 'muster.dispose' AND event_id LIKE 'muster:%'
          AND xmin::text::bigint = (pg_current_xact_id()::text::numeric % 4294967296)::bigint;
    IF decision IS NULL THEN
        RAISE EXCEPTION 'position % holds no disposition of this transaction', entry USING ERRCODE = 'insufficient_privilege';
    END IF;
    said := coalesce(decision ->> 'reason', '');
    RETURN QUERY
    WITH gone AS (
        UPDATE event SET salt = NULL, body = NULL
        FROM (SELECT (span ->> 0)::bigint AS first, (span ->> 1)::bigint AS last
              FROM jsonb_array_elements(decision -> 'positions') AS span) AS spans
        WHERE seq BETWEEN spans.first AND spans.last AND seq < entry AND body IS NOT NULL
              AND event_id NOT LIKE 'muster:%'
        RETURNING seq
    ), noted AS (
        INSERT INTO disposed SELECT gone.seq, now(), said, entry FROM gone
    )
    SELECT gone.seq FROM gone;
END $$;

-- The planner's figures of the directory; only a table's owner may take them.
CREATE FUNCTION analyze_people() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    ANALYZE scim_resource, group_member;
END $$;

REVOKE ALL ON FUNCTION dispose_events, analyze_people FROM PUBLIC;
