-- Who works here: SCIM Users and Groups, who is in which group, what changed when, and who may write.

-- One number that grows with every database transaction that changes anybody. Its row is locked first by every
-- writer, so versions become visible in their own order and a reader's cursor never skips one.
CREATE TABLE directory_version (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version  bigint  NOT NULL
);
INSERT INTO directory_version (version) VALUES (0);

CREATE TABLE scim_resource (
    id           text        PRIMARY KEY,
    kind         text        NOT NULL CHECK (kind IN ('User', 'Group')),
    -- What must be unique: userName or the group's displayName, in the form comparisons use.
    name_key     text        NOT NULL,
    external_id  text,  -- NFC
    display_name text        NOT NULL,
    active       boolean     NOT NULL,
    -- A deleted User stays here, hidden from SCIM: what was granted must be taken back.
    deleted      boolean     NOT NULL DEFAULT false,
    manager_id   text,
    -- As SCIM shows it, without id, meta, groups and members.
    document     jsonb       NOT NULL,
    -- The same with every text in the form comparisons use (NFC, lower case unless caseExact): filters ask this.
    keys         jsonb       NOT NULL,
    -- Directory version of the last change of the document.
    version      bigint      NOT NULL,
    -- Directory version of the last change of anything a selector may ask: also the groups and the manager's name.
    changed      bigint      NOT NULL,
    created      timestamptz NOT NULL,
    modified     timestamptz NOT NULL
);
CREATE UNIQUE INDEX scim_resource_name ON scim_resource (kind, name_key) WHERE NOT deleted;
CREATE INDEX scim_resource_external_id ON scim_resource (kind, external_id) WHERE NOT deleted;
CREATE INDEX scim_resource_page ON scim_resource (kind, created, id) WHERE NOT deleted;
CREATE INDEX scim_resource_manager ON scim_resource (manager_id);
CREATE INDEX scim_resource_changed ON scim_resource (changed);

-- A member may be an id we do not know, as some client sent it; it is shown, and counts for nothing.
CREATE TABLE group_member (
    group_id  text   NOT NULL REFERENCES scim_resource (id) ON DELETE CASCADE,
    member_id text   NOT NULL,
    position  bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (group_id, member_id)
);
CREATE INDEX group_member_member ON group_member (member_id);

-- Every state a person has had. `document` is the SCIM User with its groups.
CREATE TABLE person_history (
    person_id   text        NOT NULL REFERENCES scim_resource (id),
    version     bigint      NOT NULL,
    recorded_at timestamptz NOT NULL,
    -- Who said so: scim:<token name> or csv:<file name>.
    source      text        NOT NULL,
    action      text        NOT NULL CHECK (action IN ('created', 'changed', 'deleted', 'groups')),
    document    jsonb       NOT NULL,
    PRIMARY KEY (person_id, version)
);

CREATE TABLE scim_token (
    name       text        PRIMARY KEY,
    hash       bytea       NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);
