-- CAP messages as they were sent, and events of which none could be made.

-- Immutable: a message is replaced by the next one, never edited. `number` is their order, without holes;
-- `triplet` is how later messages refer to it, byte for byte.
CREATE TABLE cap_message (
    number int8 PRIMARY KEY CHECK (number > 0),
    identifier text NOT NULL UNIQUE,
    triplet text NOT NULL UNIQUE,
    event_id uuid NOT NULL UNIQUE, -- of the told event, or of the renewal that it is for
    alert_id uuid NOT NULL,
    sent timestamptz NOT NULL,
    expires timestamptz NOT NULL CHECK (expires > sent),
    kind text NOT NULL CHECK (kind IN ('Alert', 'Update', 'Cancel')),
    scope text NOT NULL CHECK (scope IN ('Public', 'Restricted')),
    final bool NOT NULL, -- it ends or cancels its alert
    xml bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX cap_message_alert ON cap_message (alert_id, number);
CREATE INDEX cap_message_public ON cap_message (number) WHERE scope = 'Public';

CREATE FUNCTION cap_message_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a CAP message is never edited: send an Update';
END
$$;
CREATE TRIGGER cap_message_stays BEFORE UPDATE ON cap_message FOR EACH ROW EXECUTE FUNCTION cap_message_stays();

-- A fault of ours: no message could be made of an event. It is settled, so that later ones go on.
CREATE TABLE cap_fault (
    event_id uuid PRIMARY KEY,
    alert_id uuid NOT NULL,
    seq int8 NOT NULL,
    faults text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
