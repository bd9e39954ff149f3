-- Who caused what waits, whom the policy protected in it, and who said no to it.

ALTER TABLE held
    ADD COLUMN caused_by text,                      -- person who set off the run that held it, where that is known
    ADD COLUMN protected text[] NOT NULL DEFAULT '{}';

CREATE TABLE rejection (
    digest      text PRIMARY KEY,
    rejected_by text NOT NULL,
    at          timestamptz NOT NULL
);

-- Which message in the administrators' room asks about which digest, so that a reaction to it is an answer.
CREATE TABLE held_notice (
    event_id text PRIMARY KEY,
    digest   text NOT NULL
);

-- Answers that were taken: an event that comes again is not answered again.
CREATE TABLE held_answer (
    event_id text PRIMARY KEY,
    at       timestamptz NOT NULL
);
