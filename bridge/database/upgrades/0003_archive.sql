-- What was said: every event as received, in the order of the ledger, and how far each reader has come.

-- Rows are only added, by bridge.archive.ingest, under the lock of ledger_head: seq has no gaps.
CREATE TABLE event (
    seq         bigint PRIMARY KEY,              -- position in the ledger, from 1
    origin_ts   bigint NOT NULL,                 -- milliseconds, as the sender's server claims
    received_at timestamptz NOT NULL,            -- strictly increasing with seq
    backfilled  boolean NOT NULL,                -- fetched afterwards, not delivered
    event_id    text COLLATE "C" NOT NULL UNIQUE,
    room_id     text COLLATE "C" NOT NULL,       -- this and the next three: as far as text can hold them
    type        text COLLATE "C" NOT NULL,
    sender      text COLLATE "C" NOT NULL,
    state_key   text COLLATE "C",
    amends      text COLLATE "C",                -- the event that this one edits or redacts
    salt        bytea NOT NULL,
    leaf        bytea NOT NULL,                  -- SHA-256(0x00, salt, body)
    body        bytea NOT NULL                   -- canonical JSON without unsigned
);

CREATE INDEX event_amends ON event (amends) WHERE amends IS NOT NULL;

-- The right edge of the Merkle tree (RFC 9162) over the leaves; one row, whose lock makes writers take turns.
CREATE TABLE ledger_head (
    sole        boolean PRIMARY KEY DEFAULT true CHECK (sole),
    size        bigint NOT NULL,
    frontier    bytea NOT NULL,                  -- roots of the perfect subtrees, largest first
    received_at timestamptz NOT NULL             -- of the newest event
) WITH (fillfactor = 10);

INSERT INTO ledger_head (size, frontier, received_at) VALUES (0, '', '-infinity');

-- Events delivered in redacted form, until the original is fetched or found to be gone.
CREATE TABLE redacted_arrival (
    event_id   text COLLATE "C" PRIMARY KEY,
    body       bytea NOT NULL,                   -- as received, with unsigned
    arrived_at timestamptz NOT NULL DEFAULT now()
);

-- How far each consumer has handled the events.
CREATE TABLE feed_cursor (
    consumer text PRIMARY KEY,
    seq      bigint NOT NULL
);

-- What could not be archived (by 'ingest', with its bytes) or not be handled (by a consumer, with its seq).
CREATE TABLE set_aside (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer text NOT NULL,
    seq      bigint,
    body     bytea,
    error    text NOT NULL,
    at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (consumer, seq),
    CHECK ((seq IS NULL) <> (body IS NULL))
);

CREATE UNIQUE INDEX set_aside_body ON set_aside (sha256(body)) WHERE body IS NOT NULL;

-- The words of messages, for search.
CREATE TABLE event_text (
    seq    bigint PRIMARY KEY REFERENCES event,
    tokens tsvector NOT NULL
);

CREATE INDEX event_text_tokens ON event_text USING gin (tokens);

-- What the last whole comparison with the homeserver found, per room.
CREATE TABLE room_seen (
    room_id    text COLLATE "C" PRIMARY KEY,
    newest     text COLLATE "C" NOT NULL,        -- its event ID; all that is older was compared, then or before
    compared   bigint NOT NULL,                  -- events looked at, all times together
    backfilled bigint NOT NULL,                  -- of them, fetched because they were missing
    checked_at timestamptz NOT NULL
);
