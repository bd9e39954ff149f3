-- People whom HR does not know and somebody here answers for; and what became of rooms that people made.

CREATE TABLE guest (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id    text        NOT NULL,
    sponsor_id text        NOT NULL,
    rooms      text[]      NOT NULL,  -- keys; empty: every room of the sponsor's that is not exclusive
    reason     text        NOT NULL,
    added_at   timestamptz NOT NULL,
    review_by  date        NOT NULL,  -- the last day, where the sponsor works
    ended_at   timestamptz
);
CREATE UNIQUE INDEX guest_living ON guest (user_id) WHERE ended_at IS NULL;
CREATE INDEX guest_sponsor ON guest (sponsor_id) WHERE ended_at IS NULL;

CREATE TABLE unmanaged_room (
    room_id      text PRIMARY KEY,
    adopted_at   timestamptz NOT NULL, -- written before the bot tries to become an administrator
    announced_at timestamptz,         -- when the people in it were told that it will be closed
    closed_at    timestamptz,
    refused_at   timestamptz          -- when the homeserver last refused
);
