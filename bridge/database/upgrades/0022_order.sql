-- Where a room stands among what its spaces list.

-- For each of `parents`, the `order` of its m.space.child; empty where it has none yet.
ALTER TABLE managed_room ADD COLUMN orders text[] NOT NULL DEFAULT '{}';
