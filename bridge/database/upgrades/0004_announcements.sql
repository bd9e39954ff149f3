-- What was announced, into which rooms, for whom, and who has acknowledged it.

CREATE TABLE announcement (
    id              text        PRIMARY KEY,
    desk            text        NOT NULL,
    source_event_id text        UNIQUE,   -- the message in the desk; null: by the command line
    author          text        NOT NULL, -- user ID
    author_name     text        NOT NULL, -- as people were told, whatever the account is called later
    body            jsonb       NOT NULL, -- what the author wrote, without the lines that Muster adds
    created_at      timestamptz NOT NULL,
    version         integer     NOT NULL DEFAULT 1
);
CREATE INDEX announcement_created ON announcement (created_at DESC, id);

CREATE TABLE delivery (
    announcement   text        NOT NULL REFERENCES announcement,
    room_id        text        NOT NULL,
    state          text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed')),
    event_id       text        UNIQUE,
    delivered_at   timestamptz,
    attempts       integer     NOT NULL DEFAULT 0, -- counted before the sending: above 0, Synapse may have it
    error          text,
    transaction_id text        NOT NULL UNIQUE,
    PRIMARY KEY (announcement, room_id)
);
CREATE INDEX delivery_waiting ON delivery ((error IS NOT NULL), announcement, room_id) WHERE state = 'waiting';

CREATE TABLE recipient (
    announcement          text        NOT NULL REFERENCES announcement,
    user_id               text        NOT NULL,
    targeted_at           timestamptz NOT NULL,
    delivered_at          timestamptz,
    acknowledged_at       timestamptz,
    acknowledged_by_event text,
    PRIMARY KEY (announcement, user_id)
);

-- Every reaction of a recipient that stands; the earliest one is the recipient's acknowledgement.
CREATE TABLE acknowledgement (
    event_id     text        PRIMARY KEY,
    announcement text        NOT NULL,
    user_id      text        NOT NULL,
    at           timestamptz NOT NULL,
    FOREIGN KEY (announcement, user_id) REFERENCES recipient
);
CREATE INDEX acknowledgement_recipient ON acknowledgement (announcement, user_id);

-- What the bot answers in a desk. An event with an answer has been decided on.
CREATE TABLE desk_answer (
    event_id       text    PRIMARY KEY,  -- what is answered
    room_id        text    NOT NULL,
    text           text    NOT NULL,
    state          text    NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed')),
    attempts       integer NOT NULL DEFAULT 0,
    error          text,
    transaction_id text    NOT NULL
);
CREATE INDEX desk_answer_waiting ON desk_answer ((error IS NOT NULL), event_id) WHERE state = 'waiting';
