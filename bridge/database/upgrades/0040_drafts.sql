-- What is shown in a desk before it is announced, and who confirmed it.

ALTER TABLE announcement
    ADD lasts      interval, -- how long it is current once it is open; null: until it is ended by hand
    ADD discussion jsonb;    -- {"name", "address"} of the room in which it is talked about
CREATE INDEX announcement_pending ON announcement (state) WHERE state IN ('draft', 'scheduled', 'open');

ALTER TABLE announcement_text ADD position smallint NOT NULL DEFAULT 0; -- in which order the languages are said

CREATE TABLE draft (
    announcement text        PRIMARY KEY REFERENCES announcement,
    lapses_at    timestamptz NOT NULL, -- discarded then, unless it was confirmed
    needs_second boolean     NOT NULL, -- whether somebody else than the author has to confirm it
    confirmed_by text
);
