-- What is told, what the engine holds, and how far each receiver has come.

-- One row: the newest event number. Its row lock makes sequence order commit order, so that a reader
-- that has seen every event up to n and asks for seq > n can never miss one that commits later.
CREATE TABLE event_head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    seq bigint NOT NULL CHECK (seq >= 0)
);
INSERT INTO event_head (seq) VALUES (0);

-- Told events: immutable. `body` is the whole event as alerts.model.Event writes it; the other columns
-- repeat what queries filter by.
CREATE TABLE alert_event (
    seq bigint PRIMARY KEY,
    event_id uuid NOT NULL UNIQUE,
    alert_id uuid NOT NULL,
    rule text NOT NULL,
    rule_version text NOT NULL,
    rule_kind text NOT NULL,
    target text NOT NULL,
    station text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('raised', 'escalated', 'lowered', 'cleared', 'cancelled')),
    level smallint NOT NULL CHECK (level >= 0),
    previous_level smallint NOT NULL CHECK (previous_level >= 0),
    severity text NOT NULL,
    nature text NOT NULL CHECK (nature IN ('Actual', 'Exercise', 'Test')),
    event_time timestamptz NOT NULL,
    detected_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    body jsonb NOT NULL
);
CREATE INDEX alert_event_alert ON alert_event (alert_id, seq);
CREATE INDEX alert_event_target ON alert_event (target, rule, seq);
CREATE INDEX alert_event_station ON alert_event (station, seq);

-- The engine's state for one (rule, target), written when its phase changes and never per reading.
CREATE TABLE alert_condition (
    rule text NOT NULL,
    target text NOT NULL,
    phase smallint NOT NULL CHECK (phase BETWEEN 0 AND 3),
    level smallint NOT NULL CHECK (level >= 0),
    since timestamptz,
    candidate_level smallint NOT NULL CHECK (candidate_level >= 0),
    candidate_since timestamptz,
    alert_id uuid,
    opened_at timestamptz,
    ordinal bigint NOT NULL CHECK (ordinal >= 0),
    rule_version text NOT NULL,
    PRIMARY KEY (rule, target),
    CHECK ((level > 0) = (alert_id IS NOT NULL)),
    CHECK ((level > 0) = (phase >= 2))
);
CREATE INDEX alert_condition_open ON alert_condition (alert_id) WHERE level > 0;

-- How far a receiver has come, and who works for it now.
CREATE TABLE delivery (
    receiver text PRIMARY KEY,
    seq bigint NOT NULL DEFAULT 0 CHECK (seq >= 0),
    owner text,
    lease_until timestamptz,
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    last_error text,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE delivery_outcome (
    receiver text NOT NULL,
    seq bigint NOT NULL REFERENCES alert_event (seq),
    outcome text NOT NULL CHECK (outcome IN ('delivered', 'superseded')),
    superseded_by bigint REFERENCES alert_event (seq),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (receiver, seq),
    CHECK ((outcome = 'superseded') = (superseded_by IS NOT NULL))
);

-- Appends a JSON array of events, in order, and returns the newest number. Every event of every process
-- goes through here, last before COMMIT, so that the head's lock is held for as short as can be.
CREATE FUNCTION append_events(events jsonb) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    head bigint;
    many integer := jsonb_array_length(events);
BEGIN
    UPDATE event_head SET seq = seq + many RETURNING seq INTO STRICT head;
    IF many = 0 THEN
        RETURN head;
    END IF;
    INSERT INTO alert_event (seq, event_id, alert_id, rule, rule_version, rule_kind, target, station, kind,
                             level, previous_level, severity, nature, event_time, detected_at, body)
    SELECT head - many + position,
           (event->>'event_id')::uuid,
           (event->>'alert_id')::uuid,
           event->>'rule',
           event->>'rule_version',
           event->>'rule_kind',
           event->>'target',
           event->>'station',
           event->>'kind',
           (event->>'level')::smallint,
           (event->>'previous_level')::smallint,
           event->>'severity',
           event->>'nature',
           timestamptz 'epoch' + (event->>'event_time')::bigint * interval '1 microsecond',
           timestamptz 'epoch' + (event->>'detected_at')::bigint * interval '1 microsecond',
           event
    FROM jsonb_array_elements(events) WITH ORDINALITY AS listed (event, position)
    ORDER BY position;
    PERFORM pg_notify('huewatch_event', head::text);
    RETURN head;
END
$$;
