-- The jobs of dated files, in `course`: their days wake people up too, and a state that tells them otherwise is true from
-- the first of them on.

CREATE OR REPLACE FUNCTION employment_boundaries(document jsonb) RETURNS SETOF date LANGUAGE sql STABLE AS $$
    WITH extension AS (
        SELECT document->'urn:ietf:params:scim:schemas:extension:muster:2.0:User' AS value
    ), job AS (
        SELECT value AS job FROM extension
        UNION ALL
        SELECT jsonb_array_elements(value->'employments') FROM extension
        WHERE jsonb_typeof(value->'employments') = 'array'
        UNION ALL
        SELECT jsonb_array_elements(value->'course') FROM extension WHERE jsonb_typeof(value->'course') = 'array'
    )
    SELECT substring(job->>'start' FROM '\d{4}-\d\d-\d\d')::date FROM job WHERE job->>'start' <> ''
    UNION
    SELECT substring(job->>'end' FROM '\d{4}-\d\d-\d\d')::date + 1 FROM job
    WHERE job->>'end' <> '' AND job->>'end' NOT LIKE '%9999-12-31%'
$$;

CREATE FUNCTION course_jobs(document jsonb) RETURNS SETOF jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_array_elements(value->'course')
    FROM (SELECT document->'urn:ietf:params:scim:schemas:extension:muster:2.0:User') AS extension(value)
    WHERE jsonb_typeof(value->'course') = 'array'
$$;

-- The first day of which a new state says something else than the one before: the earliest day of an employment that it
-- adds, moves or takes away, or of a dated job that is another, at the latest the day of recording.
CREATE OR REPLACE FUNCTION effective_day(before jsonb, after jsonb, recorded_at timestamptz) RETURNS date
LANGUAGE sql STABLE AS $$
    SELECT least((recorded_at AT TIME ZONE 'UTC')::date, min(day)) FROM (
        (SELECT employment_boundaries(after) EXCEPT SELECT employment_boundaries(before))
        UNION
        (SELECT employment_boundaries(before) EXCEPT SELECT employment_boundaries(after))
        UNION
        SELECT substring(job->>'start' FROM '\d{4}-\d\d-\d\d')::date FROM (
            (SELECT course_jobs(after) EXCEPT SELECT course_jobs(before))
            UNION
            (SELECT course_jobs(before) EXCEPT SELECT course_jobs(after))
        ) AS other(job) WHERE job->>'start' <> ''
    ) AS moved(day)
$$;
