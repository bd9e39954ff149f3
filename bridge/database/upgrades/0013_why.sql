-- Reading the past: which policy was in force when, and the archive's state events found by room and by user.

-- One row each time that another version comes into force, also one that was in force before.
CREATE TABLE policy_in_force (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    since  timestamptz NOT NULL,
    digest text        NOT NULL REFERENCES policy_version
);
CREATE INDEX policy_in_force_since ON policy_in_force (since, id);

-- What is known of the time before this table: when the runs changed from one version to another, and when each version
-- was loaded last.
INSERT INTO policy_in_force (since, digest)
SELECT at, digest FROM (
    SELECT at, digest, lag(digest) OVER (ORDER BY at) AS before FROM (
        SELECT min(entry.at) AS at, policy_digest AS digest FROM entry GROUP BY run_id, policy_digest
        UNION ALL
        SELECT loaded_at, digest FROM policy_version
    ) AS seen
    WHERE EXISTS (SELECT FROM policy_version WHERE policy_version.digest = seen.digest)
) AS following
WHERE before IS DISTINCT FROM digest ORDER BY at;

-- State events only, so that messages, which are the many, cost nothing more to archive.
CREATE INDEX event_state ON event (type, room_id) WHERE state_key IS NOT NULL;
CREATE INDEX event_member ON event (state_key, room_id) WHERE type = 'm.room.member';

CREATE INDEX entry_room ON entry (room_key, id);
