-- Several tokens may stand for one source of people, so that one can take the place of another without a gap.
ALTER TABLE scim_token ADD COLUMN source text;
UPDATE scim_token SET source = name;
ALTER TABLE scim_token ALTER COLUMN source SET NOT NULL;
