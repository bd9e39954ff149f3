-- What the archive has not, and why; by room.

-- Rooms that the homeserver does not let us compare, as long as that is so.
CREATE TABLE room_obstacle (
    room_id  text COLLATE "C" PRIMARY KEY,
    is_gone  boolean NOT NULL,                   -- the homeserver has nothing of it any more
    reason   text NOT NULL,                      -- its answer
    since    timestamptz NOT NULL DEFAULT now(),
    tried_at timestamptz NOT NULL DEFAULT now()
);

-- Events that are archived without their content, because nobody had it any more. Rows are only added.
CREATE TABLE lost_content (
    event_id text COLLATE "C" PRIMARY KEY,
    room_id  text COLLATE "C" NOT NULL,
    reason   text NOT NULL,
    at       timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE redacted_arrival ADD COLUMN room_id text COLLATE "C" NOT NULL DEFAULT '';
