-- The stages in which leavers lose what they have, and who takes over the rooms that they administrated.

-- left_at: since when the person is a leaver; null for whoever works here, or is only barred.
ALTER TABLE account ADD COLUMN left_at timestamptz, ADD COLUMN deactivated_at timestamptz;
UPDATE account SET left_at = coalesce(
    (SELECT max(settled_at) FROM entry
     WHERE entry.user_id = account.user_id AND action = 'disable account' AND outcome = 'done'), now())
WHERE NOT enabled;

CREATE TABLE leaver_stage (
    user_id text        NOT NULL,
    number  integer     NOT NULL,  -- from 1, in the order of the policy
    steps   text        NOT NULL,  -- as the policy names them, separated by spaces
    due_at  timestamptz NOT NULL,
    done_at timestamptz,
    PRIMARY KEY (user_id, number)
);
CREATE INDEX leaver_stage_due ON leaver_stage (due_at) WHERE done_at IS NULL;

-- Whom an administrator has named to take over somebody's rooms.
CREATE TABLE successor (
    person_id    text        PRIMARY KEY REFERENCES scim_resource (id) ON DELETE CASCADE,
    successor_id text        NOT NULL REFERENCES scim_resource (id) ON DELETE CASCADE,
    named_at     timestamptz NOT NULL
);

-- Rooms that were handed over, written before it is tried, until the heir has been told.
CREATE TABLE takeover (
    room_id text        NOT NULL,
    heir    text        NOT NULL,
    giver   text        NOT NULL,
    name    text        NOT NULL,
    at      timestamptz NOT NULL,
    told_at timestamptz,
    PRIMARY KEY (room_id, heir)
);
CREATE INDEX takeover_untold ON takeover (at) WHERE told_at IS NULL;

-- What is held names its actions from now on, since their order is no longer the same.
UPDATE held SET changes = (
    SELECT coalesce(jsonb_agg((change - 'order') || jsonb_build_object('action',
        (ARRAY['disable account', 'remove', 'lower power', 'create account', 'enable account', 'rename account',
               'create room', 'change room', 'join', 'raise power'])[(change->>'order')::integer + 1])
        ORDER BY at), '[]')
    FROM jsonb_array_elements(changes) WITH ORDINALITY AS listed (change, at));
