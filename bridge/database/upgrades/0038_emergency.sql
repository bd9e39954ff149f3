-- Roll calls, those who are called to help, and what goes out beside Matrix.

CREATE TABLE channel_message (
    id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key      text        NOT NULL UNIQUE,   -- says what it is: putting it again is the same row
    channel  text        NOT NULL,          -- sms, mail
    user_id  text        NOT NULL,          -- the address is looked up when it is sent, and kept nowhere
    subject  text        NOT NULL,
    body     text        NOT NULL,
    about    text        NOT NULL,          -- what it belongs to, such as the id of an announcement
    due_at   timestamptz NOT NULL,
    state    text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed')),
    attempts integer     NOT NULL DEFAULT 0, -- counted before the sending: above 0, it may have gone out
    error    text,
    sent_at  timestamptz
);
CREATE INDEX channel_message_waiting ON channel_message (channel, due_at, id) WHERE state = 'waiting';
CREATE INDEX channel_message_about ON channel_message (about);

CREATE TABLE emergency (
    announcement text        PRIMARY KEY REFERENCES announcement,
    text         text        NOT NULL,
    site         text,                            -- null: everywhere
    drill        boolean     NOT NULL,
    started_at   timestamptz NOT NULL,
    started_by   text        NOT NULL,            -- the name
    said         integer     NOT NULL DEFAULT 0,  -- so many of the policy's repetitions are over
    channels_at  timestamptz,                     -- when second channels went out
    ended_at     timestamptz,
    ended_by     text,
    board        text        NOT NULL DEFAULT '', -- what the board says
    stale        boolean     NOT NULL DEFAULT true -- something changed that nobody has looked at
);
CREATE INDEX emergency_open ON emergency (announcement) WHERE ended_at IS NULL OR stale;

-- Whom a roll call counts, and where they belonged when it began.
CREATE TABLE emergency_person (
    announcement text    NOT NULL REFERENCES emergency,
    user_id      text    NOT NULL,
    name         text    NOT NULL,
    site         text    NOT NULL,
    department   text    NOT NULL,
    personal     boolean NOT NULL,               -- told in a room of their own; guests only in rooms
    asked_help   boolean NOT NULL DEFAULT false, -- at any time, whatever the newest answer is
    PRIMARY KEY (announcement, user_id)
);

-- Every answer that stands; the newest one is the person's.
CREATE TABLE emergency_answer (
    event_id     text        PRIMARY KEY,
    announcement text        NOT NULL,
    user_id      text        NOT NULL,
    answer       text        NOT NULL CHECK (answer IN ('safe', 'help')),
    at           timestamptz NOT NULL,
    FOREIGN KEY (announcement, user_id) REFERENCES emergency_person
);
CREATE INDEX emergency_answer_person ON emergency_answer (announcement, user_id, at DESC, event_id DESC);

-- The line of those who are called to help, as it was when the roll call began.
CREATE TABLE emergency_responder (
    announcement text    NOT NULL REFERENCES emergency,
    user_id      text    NOT NULL,
    position     integer NOT NULL,               -- of the group in the line
    asked_at     timestamptz,
    instead      boolean NOT NULL DEFAULT false, -- asked in place of one who refused
    accepts      boolean,
    answered_at  timestamptz,
    event_id     text    UNIQUE,                 -- of the answer
    PRIMARY KEY (announcement, user_id)
);
