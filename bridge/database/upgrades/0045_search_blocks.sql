-- Search by words and the positions that hold them, instead of a row for each message.

-- The index is made again from the archive, by the running service.
DROP TABLE event_text;
DELETE FROM feed_cursor WHERE consumer = 'search';

-- Every word of messages, once, and what filters ask (bridge.archive.search.lexemes).
CREATE TABLE search_word (
    id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    word text COLLATE "C" NOT NULL UNIQUE
);

-- What a word is found by besides itself: stems, ends, parts (bridge.archive.search.segment).
CREATE TABLE search_form (
    form text COLLATE "C" NOT NULL,
    word integer NOT NULL,                       -- in search_word
    PRIMARY KEY (form, word)
);

-- The newest messages with their words, in the order of indexing (bridge.archive.search.postings).
CREATE TABLE search_tail (
    id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    level smallint NOT NULL,                     -- 16 rows of level 0 or 1 become one of the next
    seqs  bytea NOT NULL,                        -- position of each message: 8 bytes, these and the next lowest first
    sizes bytea NOT NULL,                        -- how many words each has: 2 bytes
    words bytea NOT NULL                         -- numbers of the words, message after message: 4 bytes
);

-- All older ones, by word: the words of a block of 65,536 positions, in 4,096 buckets. Rows of one bucket add up.
CREATE TABLE search_bucket (
    block  integer NOT NULL,                     -- position / 65,536
    bucket smallint NOT NULL,                    -- number of the word % 4,096
    words  bytea NOT NULL,                       -- 4 bytes each
    sizes  bytea NOT NULL,                       -- in how many places each stands: 4 bytes
    places bytea NOT NULL,                       -- position % 65,536, word after word: 2 bytes each; some repeat
    PRIMARY KEY (block, bucket)
);

-- Numbers do not compress, and PostgreSQL would try.
ALTER TABLE search_tail
    ALTER seqs SET STORAGE EXTERNAL, ALTER sizes SET STORAGE EXTERNAL, ALTER words SET STORAGE EXTERNAL;
ALTER TABLE search_bucket
    ALTER words SET STORAGE EXTERNAL, ALTER sizes SET STORAGE EXTERNAL, ALTER places SET STORAGE EXTERNAL;

-- Edits and redactions of what has not been archived yet.
CREATE TABLE search_pending (
    event_id text COLLATE "C" NOT NULL,          -- what they edit or redact
    room_id  text COLLATE "C" NOT NULL,
    sender   text COLLATE "C" NOT NULL,          -- who alone may do so; empty for anybody
    flag     text COLLATE "C" NOT NULL,          -- the word by which it is found then
    PRIMARY KEY (event_id, room_id, sender, flag)
);

-- When the messages of 4,096 positions were sent.
CREATE TABLE search_chunk (
    chunk  integer PRIMARY KEY,                  -- position / 4,096
    oldest bigint NOT NULL,                      -- milliseconds, as origin_ts
    newest bigint NOT NULL
) WITH (fillfactor = 50);

-- One row.
CREATE TABLE search_state (
    sole      boolean PRIMARY KEY DEFAULT true CHECK (sole),
    languages text[],                            -- whose inflections the index holds
    closed    integer NOT NULL DEFAULT 0,        -- what is before this block has left the tail
    swept     integer NOT NULL DEFAULT 0         -- how often words that nothing says any more were removed
) WITH (fillfactor = 50);
INSERT INTO search_state (languages) SELECT (SELECT languages FROM search_languages);
DROP TABLE search_languages;
