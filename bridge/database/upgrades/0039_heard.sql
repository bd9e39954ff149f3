-- Who has seen, answered and acknowledged which version of an announcement, and who was told of those who have not.

ALTER TABLE recipient
    ADD seen_at              timestamptz,            -- by a public receipt: a hint
    ADD seen_version         integer,
    ADD acknowledged_version integer,
    ADD answer               text,                   -- the latest; null: none, or to an anonymous survey
    ADD answered_at          timestamptz,
    ADD answered_by_event    text,
    ADD department           text,                   -- when it was announced; null: not looked up yet
    ADD tallied              boolean NOT NULL DEFAULT false; -- answered an anonymous survey: the first answer stays
UPDATE recipient SET acknowledged_version = 1, answered_at = acknowledged_at, answered_by_event = acknowledged_by_event
WHERE acknowledged_at IS NOT NULL;

ALTER TABLE acknowledgement
    ADD version integer NOT NULL DEFAULT 1,          -- of the text that stood there
    ADD answer  text,
    ADD counts  boolean NOT NULL DEFAULT true;       -- false: the wrong answer of a quiz

-- The version that is to be acknowledged: the newest that is more than a minor edit.
CREATE FUNCTION counted_version(text) RETURNS integer LANGUAGE sql STABLE
    RETURN (SELECT max(version) FROM announcement_text WHERE announcement = $1 AND NOT minor);

-- How far people have read the rooms of announcements, as public receipts say.
CREATE TABLE receipt (
    room_id  text        NOT NULL,
    user_id  text        NOT NULL,
    event_id text        NOT NULL,
    at       timestamptz NOT NULL,
    PRIMARY KEY (room_id, user_id)
);
CREATE INDEX outgoing_copy_in ON outgoing (room_id) WHERE role = 'copy';
CREATE INDEX outgoing_copy_said_in ON outgoing (said_in) WHERE role = 'copy';

-- What was answered to anonymous surveys, without who did.
CREATE TABLE survey_answer (
    announcement text    NOT NULL REFERENCES announcement,
    answer       text    NOT NULL,
    times        integer NOT NULL
);
CREATE UNIQUE INDEX survey_answer_once ON survey_answer (announcement, md5(answer));

-- The steps that were taken for those who have not acknowledged: each once for a person and a version.
CREATE TABLE nudge (
    announcement text        NOT NULL,
    version      integer     NOT NULL,
    user_id      text        NOT NULL,
    step         text        NOT NULL,               -- remind/1; escalate/@manager:server
    told         text,                               -- user ID; null: passed over for a later reminder
    at           timestamptz NOT NULL,
    PRIMARY KEY (announcement, version, user_id, step),
    FOREIGN KEY (announcement, user_id) REFERENCES recipient
);

-- The live status in the desk, as far as it was brought.
CREATE TABLE board (
    announcement text        PRIMARY KEY REFERENCES announcement,
    refreshed_at timestamptz NOT NULL
);

-- Reactions were counted by the consumer `announcements` until now.
INSERT INTO feed_cursor (consumer, seq) SELECT 'heard', seq FROM feed_cursor WHERE consumer = 'announcements';
CREATE INDEX recipient_unplaced ON recipient (user_id) WHERE department IS NULL;
