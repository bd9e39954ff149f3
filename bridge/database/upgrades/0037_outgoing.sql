-- Announcements that can be drafted, edited and taken back, and one queue of everything that the bot is to say.

ALTER TABLE announcement
    ADD origin    text     NOT NULL DEFAULT 'desk', -- desk, command, webhook/NAME, feed/NAME, mail/NAME, emergency, newcomers
    ADD state     text     NOT NULL DEFAULT 'open'
        CHECK (state IN ('draft', 'scheduled', 'open', 'over', 'retracted', 'discarded')),
    ADD priority  smallint NOT NULL DEFAULT 3,      -- 0 emergency, 1 urgent, 2 important, 3 normal
    ADD audience  jsonb,                            -- {"rooms": [rule, …]} or {"people": selector}
    ADD form      jsonb    NOT NULL DEFAULT '{"kind": "button"}', -- how it is acknowledged
    ADD due_at    timestamptz,
    ADD opened_at timestamptz,
    ADD ends_at   timestamptz,
    ADD ended_at  timestamptz;
UPDATE announcement SET
    origin = CASE WHEN source_event_id IS NULL THEN 'command' ELSE 'desk' END,
    opened_at = created_at,
    audience = jsonb_build_object('rooms', coalesce(
        (SELECT jsonb_agg(DISTINCT rule ORDER BY rule) FROM delivery JOIN managed_room USING (room_id)
         WHERE announcement = announcement.id), '[]'));
ALTER TABLE announcement ALTER audience SET NOT NULL;

-- What was announced, version by version and language by language; `announcement.version` is the newest.
CREATE TABLE announcement_text (
    announcement text        NOT NULL REFERENCES announcement,
    version      integer     NOT NULL,
    language     text        NOT NULL,               -- '': said to everybody
    body         jsonb       NOT NULL,               -- what the author wrote, without the lines that Muster adds
    minor        boolean     NOT NULL DEFAULT false, -- whoever acknowledged the version before has acknowledged this
    at           timestamptz NOT NULL,
    PRIMARY KEY (announcement, version, language)
);
INSERT INTO announcement_text (announcement, version, language, body, at)
SELECT id, version, '', body, created_at FROM announcement;

-- Everything that the bot is still to say, change or take back, and what became of it.
CREATE TABLE outgoing (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key          text        NOT NULL UNIQUE,        -- says what it is: putting it again is the same row
    turn         integer     NOT NULL DEFAULT 0,     -- how often it was put again after it was done
    act          text        NOT NULL CHECK (act IN ('send', 'edit', 'redact', 'pin', 'unpin')),
    rank         smallint    NOT NULL,               -- lower goes first, whatever is queued
    due_at       timestamptz NOT NULL,
    room_id      text,
    user_id      text,                               -- in that person's room for announcements
    lane         text        NOT NULL GENERATED ALWAYS AS (coalesce(room_id, user_id)) STORED, -- one at a time in each
    event_type   text,
    content      jsonb,
    target       text,                               -- key of the row whose event is edited, redacted, pinned
    announcement text        REFERENCES announcement,
    version      integer,
    role         text        NOT NULL CHECK (role IN ('copy', 'poll', 'reminder', 'board', 'answer', 'note')),
    state        text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'failed')),
    attempts     integer     NOT NULL DEFAULT 0,     -- counted before the act: above 0, Synapse may have it
    retry_at     timestamptz,                        -- after a refusal that may pass
    error        text,
    event_id     text        UNIQUE,
    said_in      text,                               -- the room of `event_id`
    done_at      timestamptz,
    CHECK ((room_id IS NULL) <> (user_id IS NULL)),
    CHECK ((target IS NULL) = (act = 'send')),
    CHECK ((content IS NULL) = (act NOT IN ('send', 'edit')))
);
CREATE INDEX outgoing_waiting ON outgoing (rank, due_at, id) WHERE state = 'waiting';
CREATE INDEX outgoing_lane ON outgoing (lane, rank, due_at, id) WHERE state = 'waiting';
CREATE INDEX outgoing_announcement ON outgoing (announcement, role);

-- The room in which one person hears what is for people and not for rooms.
CREATE TABLE personal_room (
    user_id text    PRIMARY KEY,
    room_id text    NOT NULL UNIQUE,
    joined  boolean NOT NULL -- the person was brought into it
);

-- What was rendered when it was sent stands in the queue now; the words are those of the version that sent it.
CREATE FUNCTION pg_temp.line(text) RETURNS text LANGUAGE sql
    RETURN left(btrim(regexp_replace($1, '[[:cntrl:][:space:]]+', ' ', 'g')), 100);
CREATE FUNCTION pg_temp.escaped(text) RETURNS text LANGUAGE sql
    RETURN replace(replace(replace(replace(replace($1, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'),
                   '''', '&#x27;');
CREATE FUNCTION pg_temp.rendered(id text, name text, body jsonb) RETURNS jsonb LANGUAGE sql
    RETURN CASE WHEN body->>'msgtype' <> 'm.text' THEN body ELSE
        jsonb_build_object('msgtype', 'm.text', 'body',
            '📣 ' || pg_temp.line(name) || E'\n\n' || (body->>'body') || E'\n\nReact with ✅ to acknowledge.')
        || CASE WHEN body ? 'formatted_body' THEN jsonb_build_object('format', 'org.matrix.custom.html',
            'formatted_body', '<p>📣 <strong>' || pg_temp.escaped(pg_temp.line(name)) || E'</strong></p>\n'
            || (body->>'formatted_body') || E'\n<p><em>React with ✅ to acknowledge.</em></p>') ELSE '{}' END
        END || jsonb_build_object('m.mentions', '{}'::jsonb,
                                  'io.muster.announcement', jsonb_build_object('id', id, 'version', 1));
INSERT INTO outgoing (key, act, rank, due_at, room_id, event_type, content, announcement, version, role, state,
                      attempts, error, event_id, said_in, done_at)
SELECT d.announcement || '/copy/' || room_id, 'send', 3, created_at, room_id, 'm.room.message',
       pg_temp.rendered(d.announcement, author_name, body), d.announcement, 1, 'copy',
       CASE d.state WHEN 'delivered' THEN 'done' ELSE d.state END, attempts, error, event_id,
       CASE WHEN event_id IS NOT NULL THEN room_id END, delivered_at
FROM delivery d JOIN announcement a ON a.id = d.announcement ORDER BY created_at, d.announcement, room_id;
INSERT INTO outgoing (key, act, rank, due_at, room_id, event_type, content, role, state, attempts, error)
SELECT 'answer/' || event_id, 'send', 2, now(), room_id, 'm.room.message',
       jsonb_build_object('msgtype', 'm.notice', 'body', text, 'm.mentions', '{}'::jsonb, 'm.relates_to',
           jsonb_build_object('m.in_reply_to', jsonb_build_object('event_id', event_id))),
       'answer', CASE state WHEN 'delivered' THEN 'done' ELSE state END, attempts, error
FROM desk_answer ORDER BY event_id;
ALTER TABLE announcement DROP body;
DROP TABLE delivery, desk_answer;
