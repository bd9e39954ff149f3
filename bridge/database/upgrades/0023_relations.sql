-- Not only edits and redactions are found by what they are about: reactions, answers and threads too.
ALTER TABLE event RENAME COLUMN amends TO relates_to;
ALTER INDEX event_amends RENAME TO event_relates_to;
COMMENT ON COLUMN event.relates_to IS 'the event that this one edits, redacts, reacts or answers to, or whose thread it is in';
