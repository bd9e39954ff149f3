-- Quiet hours: what people chose, and the push rule that each is to have on the homeserver.

CREATE TABLE quiet_choice (
    user_id   text COLLATE "C" PRIMARY KEY,
    choice    text NOT NULL,                   -- off, on, or times such as 17:00-09:00
    chosen_at timestamptz NOT NULL
);

-- One row for each person for whom it is or may become quiet.
CREATE TABLE quiet_rule (
    user_id    text COLLATE "C" PRIMARY KEY,
    wanted     boolean NOT NULL,               -- whether it is to be quiet now
    told       boolean NOT NULL DEFAULT false, -- what the homeserver was last told and has accepted
    changes_at timestamptz,                    -- when to look again; null: quiet hours are not theirs any more
    attempts   integer NOT NULL DEFAULT 0,     -- above 0 the homeserver may have been told already
    error      text                            -- why it was given up until the next change
);

CREATE INDEX quiet_rule_due ON quiet_rule (changes_at);
CREATE INDEX quiet_rule_untold ON quiet_rule (user_id) WHERE error IS NULL AND (wanted <> told OR attempts > 0);
