-- What webhooks said and could not be used; what the administrators are told; which attributes came and were dropped.

-- held: under the id of a leaver who seems to be somebody else. without_values: it only says that there is news.
-- ignored: it says nothing of what is kept.
ALTER TABLE hook_event DROP CONSTRAINT hook_event_outcome_check;
ALTER TABLE hook_event ADD CONSTRAINT hook_event_outcome_check
    CHECK (outcome IN ('applied', 'outdated', 'unknown', 'refused', 'held', 'without_values', 'ignored'));
CREATE INDEX hook_event_held ON hook_event (subject) WHERE outcome = 'held';

-- What the administrators are told in their room, once for as long as it goes on.
CREATE TABLE notice (
    topic     text        PRIMARY KEY,
    body      text        NOT NULL,
    raised_at timestamptz NOT NULL,
    -- When there was reason for it the last time.
    last_at   timestamptz NOT NULL,
    told_at   timestamptz
);
CREATE INDEX notice_untold ON notice (raised_at) WHERE told_at IS NULL;

-- Attributes that a source sends and nobody keeps: by name, never by value.
CREATE TABLE refused_attribute (
    source  text        NOT NULL,
    name    text        NOT NULL,
    times   bigint      NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (source, name)
);
