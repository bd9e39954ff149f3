-- Several tokens may stand for one source of people, so that one can take the place of another without a gap.
ALTER TABLE scim_token ADD COLUMN source text;
UPDATE scim_token SET source = name;
ALTER TABLE scim_token ALTER COLUMN source SET NOT NULL;

-- Who has an externalId is asked with every new User, also while PostgreSQL believes the table to be small: an index that
-- begins with what nearly all have in common would then be read from end to end.
DROP INDEX scim_resource_external_id;
CREATE INDEX scim_resource_external_id ON scim_resource (external_id, kind) WHERE NOT deleted;

-- It has one row, which PostgreSQL would take for thousands until it looks: every write of people is planned by that.
ANALYZE directory_version;
