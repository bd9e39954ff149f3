-- How far each LDAP server has been read.

CREATE TABLE ldap_cursor (
    source      text        PRIMARY KEY,
    -- What was asked, as a digest, and which server answered: the cursor means nothing to another.
    request     text        NOT NULL,
    server      text        NOT NULL,
    -- Where the next reading of changes begins.
    cursor      text        NOT NULL,
    -- When everybody was read.
    full_at     timestamptz NOT NULL,
    -- Attribute → how many entries had a value then.
    counts      jsonb       NOT NULL
);
