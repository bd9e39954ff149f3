-- What the whole policy language asks the database to remember.

-- The settings a room has beside those that every room of Muster's has.
ALTER TABLE managed_room ADD COLUMN settings jsonb NOT NULL DEFAULT '{}';

-- Who is in a rule's rooms, or is not, by exception; those of the policy itself are not here.
CREATE TABLE exception (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule       text        NOT NULL,  -- with for_each the room's key: rule/value
    person_id  text        NOT NULL REFERENCES scim_resource (id),
    adds       boolean     NOT NULL,
    until      date        NOT NULL,  -- the last day, where the person works
    owner      text        NOT NULL,
    reason     text        NOT NULL,
    created_by text        NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX exception_until ON exception (until);

-- The value of `for_each` that the room is for now; null: the one that its key was made of.
ALTER TABLE managed_room ADD COLUMN value text;
