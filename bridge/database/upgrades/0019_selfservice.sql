-- Employees who talk to the bot: what it is to do, where, and the words by which people are found.

-- What the bot does in direct rooms, in the order of id in each room; a row with this key means that it was decided.
CREATE TABLE bot_act (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key        text        NOT NULL UNIQUE,      -- the event that asked for it, with what it is
    kind       text        NOT NULL CHECK (kind IN ('join', 'decline', 'say')),
    room_id    text,                             -- null: the person's direct room, to be found or made
    user_id    text        NOT NULL,             -- whom it is for
    content    jsonb,                            -- of the message; gone when it is sent
    created_at timestamptz NOT NULL,
    state      text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'failed')),
    attempts   integer     NOT NULL DEFAULT 0,   -- counted before the act: above 0, the homeserver may have it
    error      text,
    CHECK (state = 'waiting' OR content IS NULL)
);
CREATE INDEX bot_act_waiting ON bot_act (id) WHERE state = 'waiting';
CREATE INDEX bot_act_user ON bot_act (user_id, created_at);

-- By which words people are found; who may be shown is asked of the directory when somebody looks.
CREATE TABLE phone_book (
    person_id text     PRIMARY KEY,
    names     tsvector NOT NULL,
    words     tsvector NOT NULL                  -- those of the names among them
);
CREATE INDEX phone_book_words ON phone_book USING gin (words);

-- Up to which directory version the phone book is right; one row, locked by whoever writes it.
CREATE TABLE phone_book_cursor (
    sole    boolean PRIMARY KEY DEFAULT true CHECK (sole),
    version bigint NOT NULL
);
INSERT INTO phone_book_cursor (version) VALUES (0);

-- What somebody asked for and a room's owner answers.
CREATE TABLE room_request (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person_id   text        NOT NULL,
    user_id     text        NOT NULL,
    room_key    text        NOT NULL,
    reason      text        NOT NULL,
    asked_at    timestamptz NOT NULL,
    state       text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'granted', 'declined', 'lapsed')),
    turn_ends   timestamptz,                     -- when somebody else is asked too; null: everybody was
    answered_by text,                            -- user ID
    answered_at timestamptz
);
CREATE UNIQUE INDEX room_request_open ON room_request (person_id, room_key) WHERE state = 'open';
CREATE INDEX room_request_turn ON room_request (turn_ends) WHERE state = 'open';

-- Who was asked, and by which message; a reaction to it is the answer.
CREATE TABLE room_request_ask (
    key      text        PRIMARY KEY,            -- of the act
    request  bigint      NOT NULL REFERENCES room_request,
    owner    text,                               -- user ID; null: the administrators
    event_id text        UNIQUE,                 -- null: not sent yet
    asked_at timestamptz NOT NULL
);
CREATE INDEX room_request_ask_request ON room_request_ask (request);
