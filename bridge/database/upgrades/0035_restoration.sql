-- Messages that were given back from the archive, once to each room.
CREATE TABLE restoration (
    event_id          text COLLATE "C" NOT NULL,  -- as it was sent first
    room_id           text COLLATE "C" NOT NULL,  -- where it was said again
    restored_event_id text COLLATE "C" NOT NULL,
    at                timestamptz      NOT NULL,
    PRIMARY KEY (event_id, room_id)
);
