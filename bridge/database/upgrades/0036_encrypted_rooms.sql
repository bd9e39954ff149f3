-- Encrypted rooms: the archive's own device, the keys that it was given, and what was read with them.
-- Pickles are encrypted with the key in the data folder (archive-device.key).

-- The archive's device; one row, whose lock makes those who change its keys take turns.
CREATE TABLE archivist (
    sole       boolean PRIMARY KEY DEFAULT true CHECK (sole),
    user_id    text NOT NULL,
    device_id  text NOT NULL,
    fingerprint text NOT NULL,                    -- Ed25519 of the device, by which people know it
    account    text NOT NULL,                     -- pickle: identity and one-time keys
    sync_token text,                              -- up to where its messages were taken in
    ready      boolean NOT NULL DEFAULT false     -- keys published and signed by its owner
);

-- Channels to other people's devices, by which the keys of rooms come.
CREATE TABLE olm_session (
    session_id text PRIMARY KEY,
    sender_key text NOT NULL,                     -- Curve25519 of the other device
    pickle     text NOT NULL,
    used_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX olm_session_sender ON olm_session (sender_key, used_at);

-- The keys of rooms (Megolm), each of one sender's device.
CREATE TABLE room_key (
    room_id     text COLLATE "C" NOT NULL,
    session_id  text COLLATE "C" NOT NULL,
    owner       text COLLATE "C" NOT NULL,        -- who gave it, and whose messages alone it opens
    sender_key  text NOT NULL,                    -- Curve25519 of the owner's device
    trust       text NOT NULL,                    -- what the homeserver knew of that device
    first_index bigint NOT NULL,                  -- the first message that it opens
    pickle      text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (room_id, session_id, owner)
);

-- Keys that a client refused to give us, and why (specification, `m.room_key.withheld`).
CREATE TABLE withheld_key (
    room_id    text COLLATE "C" NOT NULL,
    session_id text COLLATE "C" NOT NULL,
    owner      text COLLATE "C" NOT NULL,
    code       text NOT NULL,
    PRIMARY KEY (room_id, session_id, owner)
);

-- What encrypted events say. The ledger's leaf is the event as it came; this is made from it and can be made again.
CREATE TABLE plaintext (
    seq           bigint PRIMARY KEY REFERENCES event,
    body          bytea NOT NULL,                 -- canonical JSON of the event with its true type and content
    sender_key    text NOT NULL,
    session_id    text COLLATE "C" NOT NULL,
    message_index bigint NOT NULL,
    trust         text NOT NULL,
    decrypted_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (session_id, sender_key, message_index)
);

-- Encrypted events that could not be read.
CREATE TABLE undecrypted (
    seq         bigint PRIMARY KEY REFERENCES event,
    room_id     text COLLATE "C" NOT NULL,
    session_id  text COLLATE "C" NOT NULL,
    sender      text COLLATE "C" NOT NULL,
    reason      text NOT NULL,
    first_index bigint                            -- of the key that was tried; null: there was none
);
CREATE INDEX undecrypted_session ON undecrypted (room_id, session_id);

CREATE INDEX event_encrypted ON event (room_id) WHERE type = 'm.room.encrypted';
