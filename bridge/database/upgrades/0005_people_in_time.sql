-- When employments begin and end, so that somebody wakes up then; what HR's words for being employed mean; since when a
-- state is true, which may be before anybody said so.

-- The days on which something about the employments of a SCIM User is another than on the day before: first days, and
-- the days after last ones. The last day of the calendar means that there is no end.
CREATE FUNCTION employment_boundaries(document jsonb) RETURNS SETOF date LANGUAGE sql STABLE AS $$
    WITH extension AS (
        SELECT document->'urn:ietf:params:scim:schemas:extension:muster:2.0:User' AS value
    ), job AS (
        SELECT value AS job FROM extension
        UNION ALL
        SELECT jsonb_array_elements(value->'employments') FROM extension
        WHERE jsonb_typeof(value->'employments') = 'array'
    )
    SELECT substring(job->>'start' FROM '\d{4}-\d\d-\d\d')::date FROM job WHERE job->>'start' <> ''
    UNION
    SELECT substring(job->>'end' FROM '\d{4}-\d\d-\d\d')::date + 1 FROM job
    WHERE job->>'end' <> '' AND job->>'end' NOT LIKE '%9999-12-31%'
$$;

CREATE TABLE employment_boundary (
    person_id text NOT NULL REFERENCES scim_resource (id) ON DELETE CASCADE,
    day       date NOT NULL
);
CREATE INDEX employment_boundary_person ON employment_boundary (person_id);
CREATE INDEX employment_boundary_day ON employment_boundary (day);
INSERT INTO employment_boundary (person_id, day)
SELECT r.id, boundary.day FROM scim_resource r, employment_boundaries(r.document) AS boundary(day) WHERE r.kind = 'User';

-- The configuration's table: HR's word, in the form comparisons use, and what it means here.
CREATE TABLE employment_status (
    word     text PRIMARY KEY,
    standing text NOT NULL CHECK (standing IN ('works', 'away', 'barred', 'left'))
);

-- The standing of a User by the word in these keys: none without a word or without a table, and for a word that is not
-- in the table the one before.
CREATE FUNCTION employment_standing(keys jsonb, before text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN coalesce(said.word, '') = '' OR NOT EXISTS (SELECT FROM employment_status) THEN NULL
        ELSE coalesce((SELECT s.standing FROM employment_status s WHERE s.word = said.word), before)
    END
    FROM (SELECT keys->'urn:ietf:params:scim:schemas:extension:muster:2.0:User'->>'employmentStatus') AS said(word)
$$;

-- What the last word that was understood made of somebody; whoever comes with an unknown one is not here yet.
ALTER TABLE scim_resource ADD COLUMN standing text;
ALTER TABLE person_history ADD COLUMN standing text;

-- The first day of which a new state says something else than the one before: the earliest day of an employment that it
-- adds, moves or takes away, at the latest the day of recording.
CREATE FUNCTION effective_day(before jsonb, after jsonb, recorded_at timestamptz) RETURNS date LANGUAGE sql STABLE AS $$
    SELECT least((recorded_at AT TIME ZONE 'UTC')::date, min(day)) FROM (
        (SELECT employment_boundaries(after) EXCEPT SELECT employment_boundaries(before))
        UNION
        (SELECT employment_boundaries(before) EXCEPT SELECT employment_boundaries(after))
    ) AS moved(day)
$$;

ALTER TABLE person_history ADD COLUMN valid_from date;
UPDATE person_history h SET valid_from = effective_day(
    (SELECT b.document FROM person_history b WHERE b.person_id = h.person_id AND b.version < h.version
     ORDER BY b.version DESC LIMIT 1),
    h.document, h.recorded_at);
ALTER TABLE person_history ALTER COLUMN valid_from SET NOT NULL;

-- Two records that are one person who has come back, as somebody has said.
CREATE TABLE person_link (
    old_id    text NOT NULL REFERENCES scim_resource (id),
    new_id    text NOT NULL REFERENCES scim_resource (id),
    linked_at timestamptz NOT NULL,
    PRIMARY KEY (old_id, new_id)
);

-- Who was sent under the externalId of somebody who has left, and looks like somebody else: held until it is decided.
CREATE TABLE suspected_reuse (
    person_id   text NOT NULL REFERENCES scim_resource (id),  -- whose id it was
    name_key    text NOT NULL,                                -- of who was sent, in the form comparisons use
    external_id text NOT NULL,
    user_name   text NOT NULL,
    source      text NOT NULL,
    seen_at     timestamptz NOT NULL,
    confirmed   boolean NOT NULL DEFAULT false,               -- somebody said that it is the same person
    PRIMARY KEY (person_id, name_key)
);
CREATE INDEX scim_resource_former ON scim_resource (external_id) WHERE deleted;
