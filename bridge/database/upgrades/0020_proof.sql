-- A record that proves itself: what was signed of the ledger, what proofs are made from, where checkpoints were anchored.

-- Signed statements of the ledger's size and root (C2SP tlog-checkpoint). Rows are only added.
CREATE TABLE ledger_checkpoint (
    size     bigint PRIMARY KEY,
    frontier bytea NOT NULL,                     -- right edge of the tree of that size; its root is the note's
    note     text NOT NULL,                      -- with its signature
    made_at  timestamptz NOT NULL DEFAULT now()
);

-- Roots of the whole blocks of 1,024 leaves below the newest checkpoint. Rows are only added.
CREATE TABLE ledger_block (
    number bigint PRIMARY KEY,                   -- from 0
    root   bytea NOT NULL
);

-- Where a checkpoint was given out of the house. Rows are only added.
CREATE TABLE checkpoint_anchor (
    size        bigint NOT NULL REFERENCES ledger_checkpoint,
    anchor      text NOT NULL,                   -- room, file, rfc3161
    place       text NOT NULL,                   -- event ID, path, address
    token       bytea,                           -- RFC 3161: the answer, in DER
    anchored_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (size, anchor)
);
