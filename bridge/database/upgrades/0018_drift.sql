-- What others do by hand to what the policy decides, how it was put right, and what is left alone because of a fight.

CREATE TABLE intervention (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    room_id    text NOT NULL,          -- empty: an account's profile
    subject    text NOT NULL,          -- whose membership, power or profile; empty: the room's own settings
    field      text NOT NULL,          -- member, power, or a setting such as name
    value      text NOT NULL,          -- what it was made
    sender     text NOT NULL,
    event_id   text NOT NULL,
    noticed_at timestamptz NOT NULL,
    entry_id   bigint REFERENCES entry,  -- that put it right
    rule       text NOT NULL DEFAULT '', -- in whose name
    settled_at timestamptz,            -- null: to be looked at
    UNIQUE (event_id, subject, field)
);

CREATE INDEX intervention_pending ON intervention (id) WHERE settled_at IS NULL;
CREATE INDEX intervention_settled ON intervention (settled_at) WHERE settled_at IS NOT NULL;

-- What Muster no longer corrects, because somebody undid each of its corrections, until an administrator says go.
CREATE TABLE rest (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    room_id text NOT NULL,
    subject text NOT NULL,
    field   text NOT NULL,
    leaver  boolean NOT NULL,          -- it was about somebody who does not work here
    sender  text NOT NULL,             -- the other side
    since   timestamptz NOT NULL,
    UNIQUE (room_id, subject, field)
);

-- What people are told whose changes were put right; room_id is where that was.
CREATE TABLE remark (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id   text NOT NULL,
    room_id   text NOT NULL,
    body      text NOT NULL,
    raised_at timestamptz NOT NULL,
    sent_at   timestamptz
);

CREATE INDEX remark_user ON remark (user_id, room_id, raised_at);
CREATE INDEX remark_unsent ON remark (id) WHERE sent_at IS NULL;

-- The slow comparison of every room with the homeserver; one row.
CREATE TABLE room_audit (
    sole        boolean PRIMARY KEY DEFAULT true CHECK (sole),
    started_at  timestamptz NOT NULL,
    finished_at timestamptz,
    position    text NOT NULL,         -- the last room compared; rooms are taken in the order of their IDs
    rooms       integer NOT NULL,
    members     bigint NOT NULL,
    repaired    integer NOT NULL,
    failed      integer NOT NULL
);
