-- Who watches, who took over from whom.

-- Nobody has said anything of an alert that only went to further receivers.
ALTER TABLE alert_handling DROP CONSTRAINT alert_handling_version_check;
ALTER TABLE alert_handling ADD CONSTRAINT alert_handling_version_check CHECK (version >= 0);

-- A console that somebody has open; forgotten a day after it was last seen. `session`: a digest of what the
-- browser, or the system, showed at the door, never that itself.
CREATE TABLE presence (
    principal text NOT NULL,
    session text NOT NULL,
    connected_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    active_at timestamptz, -- when somebody last touched it; NULL: never yet
    PRIMARY KEY (principal, session)
);

-- Who took over, from whom, and what he knew: every event up to `seq`. Immutable.
CREATE TABLE handover (
    id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    incoming text NOT NULL CHECK (incoming <> ''),
    leaver text NOT NULL CHECK (leaver <> ''),
    seq int8 NOT NULL CHECK (seq >= 0),
    data_until timestamptz, -- the writers' clock, which is logical in an exercise; NULL: none had committed
    released uuid[] NOT NULL, -- the alerts that were the leaver's
    comment text NOT NULL
);
CREATE FUNCTION handover_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a handover is never changed';
END
$$;
CREATE TRIGGER handover_is_immutable BEFORE UPDATE OR DELETE ON handover
    FOR EACH ROW EXECUTE FUNCTION handover_is_immutable();
