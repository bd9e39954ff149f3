-- Whether the managed rooms are still those that somebody has read.

CREATE TABLE room_list (
    sole  boolean PRIMARY KEY DEFAULT true CHECK (sole),
    token uuid NOT NULL DEFAULT gen_random_uuid()  -- another one after every change of managed_room
);

INSERT INTO room_list DEFAULT VALUES;

CREATE FUNCTION renew_room_list() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE room_list SET token = gen_random_uuid();
    RETURN NULL;
END
$$;

CREATE TRIGGER managed_room_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON managed_room
    FOR EACH STATEMENT EXECUTE FUNCTION renew_room_list();

-- In which rooms somebody has power.
CREATE INDEX room_power_users ON room_power USING gin (users);
