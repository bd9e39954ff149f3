-- Search by more than words: where, whose, when, of what kind; and direct rooms, which it leaves closed.

-- The index is made again from the archive, by the running service.
DROP TABLE event_text;
DELETE FROM feed_cursor WHERE consumer = 'search';

-- What is found of each event. Ordered by time; seq names the event.
CREATE TABLE event_text (
    origin_ts bigint NOT NULL,
    seq       bigint NOT NULL,
    room      integer NOT NULL,                  -- in search_room
    tokens    tsvector NOT NULL,                 -- words (bridge.archive.segment) and what filters ask (search_expression)
    PRIMARY KEY (origin_ts, seq)
);

-- A short list of what is not merged yet keeps searching fast while much is archived.
CREATE INDEX event_text_tokens ON event_text USING gin (tokens) WITH (gin_pending_list_limit = 512);

-- Rooms as search knows them.
CREATE TABLE search_room (
    id        integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    room_id   text COLLATE "C" NOT NULL UNIQUE,
    name      text NOT NULL DEFAULT '',          -- in the form comparisons use
    open_from bigint NOT NULL,                   -- milliseconds; what was said before was said in a direct room
    facts     jsonb NOT NULL                     -- bridge.archive.direct_room.RoomFacts
);
CREATE INDEX search_room_name ON search_room (name) WHERE name <> '';

-- The languages whose inflections the index holds; one row.
CREATE TABLE search_languages (
    sole      boolean PRIMARY KEY DEFAULT true CHECK (sole),
    languages text[] NOT NULL
);
