-- Who has which account, which rooms Muster made, who is in every room, and what was done and why.

CREATE TABLE account (
    person_id    text PRIMARY KEY,
    user_id      text NOT NULL UNIQUE,
    display_name text NOT NULL,
    enabled      boolean NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE managed_room (
    key        text PRIMARY KEY,
    room_id    text UNIQUE,            -- null: to be created, or created and the answer lost
    rule       text NOT NULL,
    kind       text NOT NULL,
    name       text NOT NULL,
    topic      text NOT NULL,
    parents    text[] NOT NULL DEFAULT '{}',  -- keys of the spaces that list it already
    open_to    text,                   -- key of the space whose members may join by themselves
    alias      text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX managed_room_rule ON managed_room (rule);

-- Every room, managed or not, as the events say and as our own acts make it.
CREATE TABLE room_member (
    room_id    text NOT NULL,
    user_id    text NOT NULL,
    membership text NOT NULL,          -- join, invite, knock; those who left keep a row with leave or ban
    event_id   text,                   -- null: by our own act, its event has not arrived yet
    changed_at timestamptz NOT NULL,   -- of the newest event applied; our own acts never move it
    PRIMARY KEY (room_id, user_id)
);

CREATE INDEX room_member_user ON room_member (user_id);

CREATE TABLE room_power (
    room_id    text PRIMARY KEY,
    users      jsonb NOT NULL,         -- user ID → level, only those who differ from 0
    changed_at timestamptz NOT NULL
);

-- Written before the join is tried: what Muster may have put in, it may take out.
CREATE TABLE granted (
    room_id    text NOT NULL,
    user_id    text NOT NULL,
    granted_at timestamptz NOT NULL,
    rule       text NOT NULL,
    PRIMARY KEY (room_id, user_id)
);

CREATE INDEX granted_user ON granted (user_id);

CREATE TABLE run (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cause       text NOT NULL,
    plan_digest text NOT NULL,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz
);

-- The audit log. A row is written before the act (begun) and settled after it.
CREATE TABLE entry (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id            bigint NOT NULL REFERENCES run,
    at                timestamptz NOT NULL,
    action            text NOT NULL,
    room_key          text NOT NULL,
    room_id           text,
    user_id           text NOT NULL,
    person_id         text NOT NULL,
    value             text NOT NULL,
    rule              text NOT NULL,
    reason            text NOT NULL,
    directory_version bigint NOT NULL,
    policy_digest     text NOT NULL,
    approval          text,            -- digest of the held plan whose approval let it go
    outcome           text NOT NULL CHECK (outcome IN ('begun', 'done', 'failed', 'held', 'interrupted')),
    error             text,
    sessions_ended    integer,
    settled_at        timestamptz
);

CREATE INDEX entry_user ON entry (user_id, id);
CREATE INDEX entry_person ON entry (person_id, id);
CREATE INDEX entry_at ON entry (at);
CREATE INDEX entry_begun ON entry (id) WHERE outcome = 'begun';

CREATE TABLE held (
    digest  text PRIMARY KEY,
    changes jsonb NOT NULL,
    reasons text[] NOT NULL,
    held_at timestamptz NOT NULL,
    told_at timestamptz
);

CREATE TABLE approval (
    digest      text PRIMARY KEY,
    approved_by text NOT NULL,
    at          timestamptz NOT NULL
);

CREATE TABLE policy_version (
    digest    text PRIMARY KEY,
    text      text NOT NULL,
    loaded_at timestamptz NOT NULL
);

-- How far the directory and the policy have been carried out; one row.
CREATE TABLE reconcile_cursor (
    sole              boolean PRIMARY KEY DEFAULT true CHECK (sole),
    directory_version bigint NOT NULL,
    policy_digest     text NOT NULL
);

-- Users whose memberships or power somebody else has changed, until they are looked at.
CREATE TABLE drift (
    user_id text PRIMARY KEY,
    noticed bigint NOT NULL
);

CREATE SEQUENCE drift_noticed OWNED BY drift.noticed;
