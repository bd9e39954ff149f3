-- Information barriers: who is on which side, and who has come too close.

CREATE TABLE barrier (
    id     text        PRIMARY KEY,
    one    text        NOT NULL,  -- the selectors of the two sides, as the policy words them
    other  text        NOT NULL,
    reason text        NOT NULL,
    exempt text[]      NOT NULL,
    since  timestamptz NOT NULL
);

CREATE TABLE barrier_side (
    user_id text     NOT NULL,
    barrier text     NOT NULL REFERENCES barrier ON DELETE CASCADE,
    side    smallint NOT NULL,    -- 0: one, 1: other
    PRIMARY KEY (user_id, barrier, side)
);
CREATE INDEX barrier_side_barrier ON barrier_side (barrier, side);

-- Written with the membership that makes the breach, settled when whoever came later is out again.
CREATE TABLE breach (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    room_id    text        NOT NULL,
    user_id    text        NOT NULL,
    other      text        NOT NULL,
    barrier    text        NOT NULL,
    reason     text        NOT NULL,
    found_at   timestamptz NOT NULL,
    settled_at timestamptz,
    told_at    timestamptz
);
CREATE INDEX breach_open ON breach (id) WHERE settled_at IS NULL OR told_at IS NULL;

-- The room in which the bot talks with somebody alone.
CREATE TABLE direct_room (
    user_id text PRIMARY KEY,
    room_id text NOT NULL
);
