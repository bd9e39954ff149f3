-- What employees report in confidence; rooms whose records only a case opens; who got a first day's digest.

-- Rooms that the gate treats as direct rooms for ever, whoever is in them: those of reports, and those in which somebody
-- talks with the bot. That a room is among them says nothing of what was said there.
CREATE TABLE sealed_room (room_id text PRIMARY KEY);
INSERT INTO sealed_room SELECT room_id FROM direct_room ON CONFLICT DO NOTHING;

CREATE TABLE report (
    number    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind      text        NOT NULL,              -- of the policy, then
    anonymous boolean     NOT NULL,
    alias     text        NOT NULL UNIQUE,       -- of its room: random, so that nobody guesses it
    line      jsonb       NOT NULL,              -- groups of user IDs, as they are asked one after the other
    needed    integer     NOT NULL,
    escalate  interval    NOT NULL,
    room_id   text UNIQUE,                       -- null: still to be made
    opened_at timestamptz NOT NULL,
    taken_at  timestamptz,                       -- when enough of those asked had said that they take it
    closed_at timestamptz,
    closed_by text,                              -- user ID
    due_at    timestamptz,                       -- when it must be looked at again; null: not before somebody acts
    touched   integer     NOT NULL DEFAULT 0,    -- how often something has come that must be looked at
    boards    integer     NOT NULL DEFAULT 0,    -- how often the pinned message was put: who comes sees nothing older
    words     text,                              -- the first ones, for who comes later; gone when it is closed
    CHECK ((closed_at IS NULL) = (closed_by IS NULL)),
    CHECK (closed_at IS NULL OR words IS NULL)
);
CREATE INDEX report_due ON report (due_at) WHERE due_at IS NOT NULL;

-- Who reported, for as long as words must find their way: the only place that says so.
CREATE TABLE reporter (
    report  integer PRIMARY KEY REFERENCES report,
    user_id text  NOT NULL UNIQUE,
    room_id text  NOT NULL,                      -- where the person talks with the bot
    secret  bytea NOT NULL,                      -- names what is passed on, so that nothing leads back
    joined  boolean NOT NULL DEFAULT false       -- is in the room of the report, being named
);

-- Who was asked to take a report, and what they said.
CREATE TABLE report_ask (
    report      integer NOT NULL REFERENCES report,
    user_id     text    NOT NULL,
    asked_at    timestamptz NOT NULL,
    instead     boolean NOT NULL,                -- in place of one who refused
    takes       boolean,                         -- null: no answer yet
    answered_at timestamptz,
    joined      boolean NOT NULL DEFAULT false,
    PRIMARY KEY (report, user_id)
);

-- What must not wait behind what many are told.
ALTER TABLE bot_act ADD urgent boolean NOT NULL DEFAULT false;

-- Who has had the digest of the first day, or is still to get it; whoever leaves is forgotten, and so new when hired again.
CREATE TABLE newcomer (
    user_id     text PRIMARY KEY,
    seen_at     timestamptz NOT NULL,            -- when the account was first found to be enabled
    due_at      timestamptz                      -- null: settled
);
CREATE INDEX newcomer_due ON newcomer (due_at) WHERE due_at IS NOT NULL;
INSERT INTO newcomer (user_id, seen_at) SELECT user_id, now() FROM account WHERE enabled;
