-- What sources have sent already, how far each feed is read, and what goes out of the chat.

CREATE TABLE source_item (
    source       text        NOT NULL,  -- webhook/NAME, feed/NAME, mail/NAME
    item         text        NOT NULL,  -- the sender's id of it, or a digest
    announcement text,                  -- null: passed over, as what a feed says when it is first read
    seen_at      timestamptz NOT NULL,  -- the last time: it is forgotten when it no longer comes
    PRIMARY KEY (source, item)
);
CREATE INDEX source_item_seen ON source_item (seen_at);

CREATE TABLE announcement_feed (
    name     text    PRIMARY KEY,
    url      text    NOT NULL,
    begun    boolean NOT NULL DEFAULT false, -- read once; what stood there then is not news
    etag     text    NOT NULL DEFAULT '',
    modified text    NOT NULL DEFAULT '',
    failures integer NOT NULL DEFAULT 0   -- in a row
);

-- Somebody outside who is told of announcements; nothing from before `since`.
CREATE TABLE outlet (
    name  text        PRIMARY KEY,
    since timestamptz NOT NULL
);

CREATE TABLE outlet_call (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    outlet       text        NOT NULL REFERENCES outlet,
    announcement text        NOT NULL REFERENCES announcement,
    happened     text        NOT NULL CHECK (happened IN ('opened', 'edited', 'ended', 'retracted')),
    version      integer     NOT NULL,
    state        text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'dead')),
    attempts     integer     NOT NULL DEFAULT 0,
    due_at       timestamptz NOT NULL,
    error        text,
    UNIQUE (outlet, announcement, happened, version)
);
CREATE INDEX outlet_call_waiting ON outlet_call (due_at, id) WHERE state = 'waiting';

-- E-mail for those who work here and have no account: what each letter holds is settled when the day's letters are due.
CREATE TABLE digest (
    day date        PRIMARY KEY,
    at  timestamptz NOT NULL
);

CREATE TABLE digest_item (
    announcement text PRIMARY KEY REFERENCES announcement,
    day          date NOT NULL REFERENCES digest
);

CREATE TABLE digest_letter (
    day           date        NOT NULL REFERENCES digest,
    person_id     text        NOT NULL,
    announcements text[]      NOT NULL,
    state         text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'dead')),
    attempts      integer     NOT NULL DEFAULT 0,
    due_at        timestamptz NOT NULL,
    error         text,
    PRIMARY KEY (day, person_id)
);
CREATE INDEX digest_letter_waiting ON digest_letter (due_at, day, person_id) WHERE state = 'waiting';
