-- What the whole policy language asks the database to remember.

-- The settings a room has beside those that every room of Muster's has.
ALTER TABLE managed_room ADD COLUMN settings jsonb NOT NULL DEFAULT '{}';
