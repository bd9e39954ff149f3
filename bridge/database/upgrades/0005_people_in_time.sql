-- When employments begin and end, so that somebody wakes up then.

-- The days on which something about the employments of a SCIM User is another than on the day before: first days, and
-- the days after last ones. The last day of the calendar means that there is no end.
CREATE FUNCTION employment_boundaries(document jsonb) RETURNS SETOF date LANGUAGE sql STABLE AS $$
    SELECT substring(job->>'start' FROM '\d{4}-\d\d-\d\d')::date
    FROM (SELECT document->'urn:ietf:params:scim:schemas:extension:muster:2.0:User') AS jobs(job)
    WHERE job->>'start' <> ''
    UNION
    SELECT substring(job->>'end' FROM '\d{4}-\d\d-\d\d')::date + 1
    FROM (SELECT document->'urn:ietf:params:scim:schemas:extension:muster:2.0:User') AS jobs(job)
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
