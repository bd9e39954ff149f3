-- Days where people work, whom every job names as manager, ids given out twice on a record itself, and what leavers
-- are given back.

-- The configuration's time zone: that of people without one of their own.
CREATE TABLE directory_timezone (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    name     text    NOT NULL
);
INSERT INTO directory_timezone (name) VALUES ('UTC');

-- The date in a zone, none when PostgreSQL has no zone of that name.
CREATE FUNCTION day_in(moment timestamptz, zone text) RETURNS date LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (moment AT TIME ZONE nullif(zone, ''))::date;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN NULL;
END
$$;

-- The date of a moment where the person of a SCIM User works.
CREATE FUNCTION local_day(document jsonb, moment timestamptz) RETURNS date LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        day_in(moment, document->>'timezone'),
        day_in(moment, (SELECT name FROM directory_timezone)),
        (moment AT TIME ZONE 'UTC')::date)
$$;

-- As before, with the day of recording where the person works.
CREATE OR REPLACE FUNCTION effective_day(before jsonb, after jsonb, recorded_at timestamptz) RETURNS date
LANGUAGE plpgsql STABLE AS $$
DECLARE
    course CONSTANT text[] := '{urn:ietf:params:scim:schemas:extension:muster:2.0:User,course}';
    past jsonb := CASE WHEN jsonb_typeof(before #> course) = 'array' THEN before #> course ELSE '[]' END;
    present jsonb := CASE WHEN jsonb_typeof(after #> course) = 'array' THEN after #> course ELSE '[]' END;
    earliest date;
BEGIN
    SELECT min(day) INTO earliest FROM (
        (SELECT employment_boundaries(after) EXCEPT SELECT employment_boundaries(before))
        UNION
        (SELECT employment_boundaries(before) EXCEPT SELECT employment_boundaries(after))
    ) AS moved(day);
    IF past <> present THEN
        SELECT least(earliest, min(substring(job->>'start' FROM '\d{4}-\d\d-\d\d')::date)) INTO earliest FROM (
            (SELECT jsonb_array_elements(present) EXCEPT SELECT jsonb_array_elements(past))
            UNION
            (SELECT jsonb_array_elements(past) EXCEPT SELECT jsonb_array_elements(present))
        ) AS other(job) WHERE job->>'start' <> '';
    END IF;
    RETURN least(local_day(after, recorded_at), earliest);
END
$$;

-- From now on an empty first day says that somebody is not hired yet; whoever is here is hired.
UPDATE scim_resource SET document = document #- '{urn:ietf:params:scim:schemas:extension:muster:2.0:User,start}',
    keys = keys #- '{urn:ietf:params:scim:schemas:extension:muster:2.0:User,start}'
WHERE document->'urn:ietf:params:scim:schemas:extension:muster:2.0:User'->>'start' = '';
UPDATE person_history SET document = document #- '{urn:ietf:params:scim:schemas:extension:muster:2.0:User,start}'
WHERE document->'urn:ietf:params:scim:schemas:extension:muster:2.0:User'->>'start' = '';

-- Whether what is held was sent as a change of the leaver's own record, and not as somebody new.
ALTER TABLE suspected_reuse ADD COLUMN is_change boolean NOT NULL DEFAULT false;

-- Whom the jobs of a person name as manager. A name that nobody has is kept until somebody comes who has it; from then
-- on it means that person, whatever becomes of the name.
CREATE TABLE manager_reference (
    person_id  text    NOT NULL REFERENCES scim_resource (id) ON DELETE CASCADE,
    job        integer NOT NULL,  -- 0: that of the plain attributes; n: the nth of those listed
    sent       text    NOT NULL,  -- an id, externalId or userName; NFC
    name_key   text    NOT NULL,  -- the same in the form in which userNames are compared
    manager_id text    REFERENCES scim_resource (id),
    PRIMARY KEY (person_id, job)
);
CREATE INDEX manager_reference_manager ON manager_reference (manager_id);
CREATE INDEX manager_reference_sent ON manager_reference (sent) WHERE manager_id IS NULL;
CREATE INDEX manager_reference_name ON manager_reference (name_key) WHERE manager_id IS NULL;

-- Who has this id, userName or externalId, in this order.
CREATE FUNCTION person_named(sent text, key text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT id FROM (
        SELECT id, 1 AS rank, created FROM scim_resource WHERE kind = 'User' AND id = sent AND NOT deleted
        UNION ALL
        SELECT id, 2, created FROM scim_resource WHERE kind = 'User' AND name_key = key AND NOT deleted
        UNION ALL
        SELECT id, 3, created FROM scim_resource WHERE kind = 'User' AND external_id = sent AND NOT deleted
    ) AS found ORDER BY rank, created, id LIMIT 1
$$;

UPDATE scim_resource SET keys = keys || jsonb_build_object('managers', jsonb_build_array(jsonb_build_object(
    'job', 0, 'sent', manager_id, 'key', lower(manager_id))))
WHERE kind = 'User' AND manager_id IS NOT NULL;
INSERT INTO manager_reference (person_id, job, sent, name_key, manager_id)
SELECT id, 0, manager_id, lower(manager_id), person_named(manager_id, lower(manager_id)) FROM scim_resource
WHERE kind = 'User' AND manager_id IS NOT NULL;
-- What a webhook said of a manager who was not known yet is kept with the person from now on.
WITH said AS (
    SELECT DISTINCT ON (person_id) person_id, manager FROM hook_person WHERE manager IS NOT NULL
    ORDER BY person_id, source
)
INSERT INTO manager_reference (person_id, job, sent, name_key, manager_id)
SELECT person_id, 0, manager, lower(manager), person_named(manager, lower(manager)) FROM said
ON CONFLICT DO NOTHING;
DROP INDEX hook_person_manager;
ALTER TABLE hook_person DROP COLUMN manager;
DROP INDEX scim_resource_manager;
ALTER TABLE scim_resource DROP COLUMN manager_id;

-- Let references that waited for these people mean them; their reports are changed people then.
CREATE FUNCTION meet_managers(ids text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    reports text[];
BEGIN
    WITH met AS (
        UPDATE manager_reference m SET manager_id = r.id FROM scim_resource r
        WHERE r.id = ANY(ids) AND r.kind = 'User' AND NOT r.deleted AND m.manager_id IS NULL
          AND (m.sent = r.id OR m.name_key = r.name_key OR m.sent = r.external_id)
        RETURNING m.person_id
    )
    SELECT array_agg(person_id) INTO reports FROM met;
    IF reports IS NOT NULL THEN
        UPDATE scim_resource SET changed = (SELECT version FROM directory_version) WHERE id = ANY(reports);
    END IF;
END
$$;

CREATE FUNCTION refer_to_managers(ids text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    known jsonb;
BEGIN
    SELECT coalesce(jsonb_object_agg(person_id || ' ' || sent, manager_id), '{}') INTO known FROM manager_reference
    WHERE person_id = ANY(ids) AND manager_id IS NOT NULL;
    DELETE FROM manager_reference WHERE person_id = ANY(ids);
    INSERT INTO manager_reference (person_id, job, sent, name_key, manager_id)
    SELECT r.id, (said->>'job')::integer, said->>'sent', said->>'key',
           coalesce(known->>(r.id || ' ' || (said->>'sent')), person_named(said->>'sent', said->>'key'))
    FROM scim_resource r, jsonb_array_elements(r.keys->'managers') AS said
    WHERE r.id = ANY(ids) AND r.kind = 'User';
END
$$;

CREATE FUNCTION people_have_come() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refer_to_managers(ids) FROM (
        SELECT array_agg(id) AS ids FROM come WHERE kind = 'User' AND keys ? 'managers') AS named
    WHERE ids IS NOT NULL;
    PERFORM meet_managers(ids) FROM (SELECT array_agg(id) AS ids FROM come WHERE kind = 'User') AS people
    WHERE ids IS NOT NULL AND EXISTS (SELECT FROM manager_reference WHERE manager_id IS NULL);
    RETURN NULL;
END
$$;

CREATE FUNCTION people_have_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refer_to_managers(ids) FROM (
        SELECT array_agg(n.id) AS ids FROM after n JOIN before o ON o.id = n.id
        WHERE n.kind = 'User' AND n.keys->'managers' IS DISTINCT FROM o.keys->'managers') AS named
    WHERE ids IS NOT NULL;
    PERFORM meet_managers(ids) FROM (
        SELECT array_agg(n.id) AS ids FROM after n JOIN before o ON o.id = n.id
        WHERE n.kind = 'User' AND NOT n.deleted
          AND (n.name_key, n.external_id, n.deleted) IS DISTINCT FROM (o.name_key, o.external_id, o.deleted)) AS people
    WHERE ids IS NOT NULL;
    RETURN NULL;
END
$$;

CREATE TRIGGER managers_of_those_who_come AFTER INSERT ON scim_resource
    REFERENCING NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION people_have_come();
CREATE TRIGGER managers_of_those_who_change AFTER UPDATE ON scim_resource
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT
    WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION people_have_changed();

-- Who was in a managed room by hand, as somebody's guest, when the account was disabled: to be given back on return.
CREATE TABLE former_guest (
    room_id text NOT NULL,
    user_id text NOT NULL,
    left_at timestamptz NOT NULL,
    PRIMARY KEY (room_id, user_id)
);
CREATE INDEX former_guest_user ON former_guest (user_id);
