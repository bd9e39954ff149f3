-- Who set a run off: the service by itself, or a system's user by a command, who may have said who they are in the
-- directory; and who approved what was held of it. It stood in the cause before, or nowhere.

ALTER TABLE run
    ADD COLUMN set_off_by text NOT NULL DEFAULT 'service',
    ADD COLUMN by_person text,
    ADD COLUMN approved_by text;

UPDATE run SET approved_by = split_part(cause, '; approved by ', 2), cause = split_part(cause, '; approved by ', 1)
WHERE cause LIKE '%; approved by %';
UPDATE run SET set_off_by = substr(cause, 12), cause = 'report' WHERE cause LIKE 'report for %';
UPDATE run SET set_off_by = 'command line' WHERE cause ~ '^(apply|undo of run [0-9]+)( by .+)?$';
UPDATE run SET by_person = substring(cause FROM ' by (.+)$'), cause = substring(cause FROM '^(.+?) by ')
WHERE set_off_by = 'command line' AND cause ~ ' by .+$';
