-- What HR's webhooks said and what was done about it; which files of the drop folder are in.

-- The inbox: one row for each person that a delivery speaks of. It holds what the source's mapping let through, never
-- the body as it came.
CREATE TABLE hook_event (
    seq         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source      text        NOT NULL,
    -- The webhook-id, or a digest of the body where there was none.
    delivery    text        NOT NULL,
    position    integer     NOT NULL,
    -- Whom it is about: the source's own id of the person.
    subject     text        NOT NULL,
    -- When it was so, as the source says.
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    -- Attributes as columns of a file have them; empty once they are in the directory.
    attributes  jsonb       NOT NULL,
    handled_at  timestamptz,
    outcome     text        CHECK (outcome IN ('applied', 'outdated', 'unknown', 'refused')),
    reason      text,
    UNIQUE (source, delivery, position),
    CHECK ((handled_at IS NULL) = (outcome IS NULL))
);
CREATE INDEX hook_event_waiting ON hook_event (seq) WHERE handled_at IS NULL;
CREATE INDEX hook_event_unknown ON hook_event (source, subject) WHERE outcome = 'unknown';
CREATE INDEX hook_event_received ON hook_event (received_at);

-- Whom a source has written, and the moment of the newest word about each attribute.
CREATE TABLE hook_person (
    source    text  NOT NULL,
    subject   text  NOT NULL,
    person_id text  NOT NULL REFERENCES scim_resource (id),
    told_at   jsonb NOT NULL,
    -- Who the manager is, as the source says, while nobody of that id or name is known.
    manager   text,
    PRIMARY KEY (source, subject)
);
CREATE INDEX hook_person_person ON hook_person (person_id);
CREATE INDEX hook_person_manager ON hook_person (source, lower(manager)) WHERE manager IS NOT NULL;

-- Files of the drop folder that are in the directory, each by the name it got when it was claimed.
CREATE TABLE file_import (
    claim       text        PRIMARY KEY,
    imported_at timestamptz NOT NULL DEFAULT now(),
    report      jsonb       NOT NULL
);
