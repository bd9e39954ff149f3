-- Roll calls, those who are called to help, and what goes out beside Matrix.

CREATE TABLE channel_message (
    id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key      text        NOT NULL UNIQUE,   -- says what it is: putting it again is the same row
    channel  text        NOT NULL,          -- sms, mail
    user_id  text        NOT NULL,          -- the address is looked up when it is sent, and kept nowhere
    subject  text        NOT NULL,
    body     text        NOT NULL,
    about    text        NOT NULL,          -- what it belongs to, such as the id of an announcement
    due_at   timestamptz NOT NULL,
    state    text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed')),
    attempts integer     NOT NULL DEFAULT 0, -- counted before the sending: above 0, it may have gone out
    error    text,
    sent_at  timestamptz
);
CREATE INDEX channel_message_waiting ON channel_message (channel, due_at, id) WHERE state = 'waiting';
CREATE INDEX channel_message_about ON channel_message (about);
