-- Who waits for a held removal, requests that nobody answers, and rooms that were deleted by hand.

-- Users who may enter a room only once those have left it whose removal is held; looked at again when that is over.
CREATE TABLE awaiting_removal (
    user_id text PRIMARY KEY
);

-- reminded_at: when whoever was asked was reminded; null: not yet.
ALTER TABLE room_request_ask ADD COLUMN reminded_at timestamptz;
-- Requests that everybody was asked about have something due again: that they end.
UPDATE room_request SET turn_ends = now() WHERE state = 'open' AND turn_ends IS NULL;

-- Rooms that Muster managed and that the homeserver no longer has; their events are in the archive.
CREATE TABLE former_room (
    room_id   text        PRIMARY KEY,
    key       text        NOT NULL,
    name      text        NOT NULL,
    gone_at   timestamptz NOT NULL,
    looked_at timestamptz              -- when everything was looked at since; null: that is due
);
CREATE INDEX former_room_key ON former_room (key);
