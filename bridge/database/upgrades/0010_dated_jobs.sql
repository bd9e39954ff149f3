-- The jobs of dated files, in `course`: their days wake people up too, and a state that tells them otherwise is true from
-- the first of them on. In PL/pgSQL, which plans a statement once and not for every person.

CREATE OR REPLACE FUNCTION employment_boundaries(document jsonb) RETURNS SETOF date LANGUAGE plpgsql STABLE AS $$
DECLARE
    extension jsonb := document->'urn:ietf:params:scim:schemas:extension:muster:2.0:User';
BEGIN
    RETURN QUERY
    WITH job AS (
        SELECT extension AS job
        UNION ALL
        SELECT jsonb_array_elements(extension->'employments') WHERE jsonb_typeof(extension->'employments') = 'array'
        UNION ALL
        SELECT jsonb_array_elements(extension->'course') WHERE jsonb_typeof(extension->'course') = 'array'
    )
    SELECT substring(job->>'start' FROM '\d{4}-\d\d-\d\d')::date FROM job WHERE job->>'start' <> ''
    UNION
    SELECT substring(job->>'end' FROM '\d{4}-\d\d-\d\d')::date + 1 FROM job
    WHERE job->>'end' <> '' AND job->>'end' NOT LIKE '%9999-12-31%';
END
$$;

-- The first day of which a new state says something else than the one before: the earliest day of an employment that it
-- adds, moves or takes away, or of a dated job that is another, at the latest the day of recording.
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
    RETURN least((recorded_at AT TIME ZONE 'UTC')::date, earliest);
END
$$;
