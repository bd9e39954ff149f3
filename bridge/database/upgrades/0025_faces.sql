-- Pictures of people and rooms: what was uploaded, what everybody's ought to be, and profiles that may have been changed.

-- What was uploaded, by what it was made from; nothing is uploaded twice.
CREATE TABLE media (
    digest      text PRIMARY KEY,      -- SHA-256 of the source, hexadecimal
    address     text NOT NULL,         -- mxc:
    uploaded_at timestamptz NOT NULL
);

-- The picture that an account ought to have, which the plan makes its own; empty until it has been uploaded.
ALTER TABLE account ADD COLUMN face text NOT NULL DEFAULT '';

-- What that picture was made from, and when to look at it again.
CREATE TABLE face (
    user_id text PRIMARY KEY,
    choice  text NOT NULL,             -- photo or initials, as the policy said
    version bigint NOT NULL,           -- directory version of the person
    file    text NOT NULL,             -- the file of the photo with its size and time; empty without one
    problem text NOT NULL,             -- why a photo is not used; empty when there is nothing to say
    due_at  timestamptz NOT NULL
);

-- The pictures of rooms that the policy names as files.
CREATE SEQUENCE room_picture_changed;
CREATE TABLE room_picture (
    name    text PRIMARY KEY,          -- as the policy says it
    address text NOT NULL,
    changed bigint NOT NULL DEFAULT nextval('room_picture_changed')
);

-- Accounts whose profile is to be read, because an event shows it otherwise than we know it.
CREATE SEQUENCE profile_doubt_noticed;
CREATE TABLE profile_doubt (
    user_id  text PRIMARY KEY,
    event_id text NOT NULL,
    noticed  bigint NOT NULL DEFAULT nextval('profile_doubt_noticed')
);
