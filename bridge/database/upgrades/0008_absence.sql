-- Who brings people by whole pictures, whom each has named, and what becomes of those who are missing.

CREATE TABLE feed (
    name     text PRIMARY KEY,           -- file:payroll, ldap:ad
    whole_at timestamptz                 -- when the newest picture was read that was proved whole
);

-- Only who is here can be missing from the feed.
CREATE TABLE feed_person (
    feed         text NOT NULL REFERENCES feed (name),
    person_id    text NOT NULL REFERENCES scim_resource (id) ON DELETE CASCADE,
    absent_since timestamptz,            -- the first whole picture without the person; none while the feed names them
    PRIMARY KEY (feed, person_id)
);
CREATE INDEX feed_person_person ON feed_person (person_id);
CREATE INDEX feed_person_absent ON feed_person (feed) WHERE absent_since IS NOT NULL;

-- Who left by being missing, without anybody's approval: they count for a day.
CREATE TABLE feed_removal (
    feed       text        NOT NULL,
    person_id  text        NOT NULL,
    removed_at timestamptz NOT NULL,
    PRIMARY KEY (feed, person_id)
);

-- Who would leave by being missing, and were too many: they wait for a second person. Approved lists are kept, as the
-- record of who let whom go.
CREATE TABLE absence_list (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    feed        text        NOT NULL,
    digest      text        NOT NULL,
    people      text[]      NOT NULL,
    reason      text        NOT NULL,
    held_at     timestamptz NOT NULL,
    told_at     timestamptz,
    approved_at timestamptz,
    approved_by text,
    version     bigint,                  -- the directory version in which they became inactive
    CHECK ((approved_at IS NULL) = (approved_by IS NULL) AND (approved_at IS NULL) = (version IS NULL))
);
CREATE UNIQUE INDEX absence_list_waiting ON absence_list (feed) WHERE approved_at IS NULL;
CREATE INDEX absence_list_people ON absence_list USING gin (people) WHERE approved_at IS NOT NULL;
