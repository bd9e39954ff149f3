-- Cases open direct rooms to those they allow; holds keep what they are about, whatever retention and erasure say.

CREATE TABLE archive_case (
    number      text PRIMARY KEY,                -- as the company writes it
    purpose     text        NOT NULL,
    scope       jsonb       NOT NULL,            -- bridge.archive.scope.Scope
    opened_by   text        NOT NULL,            -- userName then
    opener      text        NOT NULL,            -- person
    opened_at   timestamptz NOT NULL,
    approved_by text,                            -- userName of the second person
    approved_at timestamptz,
    approved    text,                            -- digest of exactly what was approved
    used_at     timestamptz,                     -- when direct rooms were first opened by this approval
    closed_by   text,
    closed_at   timestamptz,
    CHECK ((approved_by IS NULL) = (approved_at IS NULL) AND (approved_by IS NULL) = (approved IS NULL)),
    CHECK ((closed_by IS NULL) = (closed_at IS NULL))
);

-- Who is let into a case.
CREATE TABLE archive_case_person (
    number    text NOT NULL REFERENCES archive_case,
    person_id text NOT NULL,
    user_name text NOT NULL,                     -- then
    PRIMARY KEY (number, person_id)
);

CREATE TABLE archive_hold (
    number        text PRIMARY KEY,
    reason        text        NOT NULL,
    scope         jsonb       NOT NULL,
    case_number   text REFERENCES archive_case,
    silent        boolean     NOT NULL,          -- custodians are not told
    remind        interval    NOT NULL,          -- after so long without an acknowledgement
    placed_by     text        NOT NULL,
    placed_at     timestamptz NOT NULL,
    placed_entry  text        NOT NULL,          -- ID of the ledger's entry
    media_seq     bigint      NOT NULL DEFAULT 0, -- position up to which its media was looked for
    released_by   text,
    released_at   timestamptz,
    released_entry text,
    CHECK ((released_by IS NULL) = (released_at IS NULL) AND (released_by IS NULL) = (released_entry IS NULL))
);

-- Who is told of a hold, by which message, and since when they acknowledge it.
CREATE TABLE archive_custodian (
    number          text NOT NULL REFERENCES archive_hold,
    user_id         text NOT NULL,
    told            integer NOT NULL DEFAULT 0,  -- times
    next_at         timestamptz,                 -- when to be told (again); null: never
    acknowledged_at timestamptz,
    PRIMARY KEY (number, user_id)
);
CREATE INDEX archive_custodian_next ON archive_custodian (next_at) WHERE next_at IS NOT NULL;

-- Messages that tell somebody of a hold; a reaction to one is an acknowledgement.
CREATE TABLE archive_hold_message (
    key      text PRIMARY KEY,                   -- of the act
    number   text NOT NULL REFERENCES archive_hold,
    user_id  text NOT NULL,
    event_id text UNIQUE                         -- null: not sent yet
);

-- Media of the homeserver's own that holds keep from its purges.
CREATE TABLE archive_held_media (
    media_id text NOT NULL,
    number   text NOT NULL REFERENCES archive_hold,
    state    text NOT NULL CHECK (state IN ('protected', 'was protected', 'missing')),
    PRIMARY KEY (media_id, number)
);
CREATE INDEX archive_held_media_number ON archive_held_media (number);
