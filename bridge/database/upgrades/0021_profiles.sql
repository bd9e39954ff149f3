-- What Muster decides of people's profiles beside the display name.

ALTER TABLE account ADD COLUMN profile jsonb NOT NULL DEFAULT '{}';  -- field to text, as last set or found

-- The slow comparison of profiles with the homeserver; one row.
CREATE TABLE profile_audit (
    sole       boolean PRIMARY KEY DEFAULT true CHECK (sole),
    started_at timestamptz NOT NULL,
    position   text NOT NULL            -- the last account compared; accounts are taken in the order of their user IDs
);
