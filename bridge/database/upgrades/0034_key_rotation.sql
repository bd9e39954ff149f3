-- Which key of the archive's took the place of which, and where in the ledger. Rows are only added.
CREATE TABLE key_rotation (
    size    bigint PRIMARY KEY,                  -- leaves with which the old key ended
    note    text NOT NULL,                       -- the statement, with its signatures
    made_at timestamptz NOT NULL DEFAULT now()
);
