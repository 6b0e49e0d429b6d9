-- What ingest keeps. One file serves PostgreSQL and TimescaleDB: only `observation` differs.
-- Runs with search_path "huewatch, public".

-- A number is given once to a key of the catalogue and never reused.
CREATE TABLE datastream (
    id int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL,
    nature text NOT NULL CHECK (nature IN ('Actual', 'Exercise', 'Test')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (key, nature)
);

-- Who may write a partition, and how far it came. Updated by each transaction, so pages keep room for HOT.
CREATE TABLE writer (
    partition text PRIMARY KEY,
    epoch int8 NOT NULL,
    batch int8 NOT NULL DEFAULT 0,
    session int8 NOT NULL DEFAULT 0,
    arrivals int8 NOT NULL DEFAULT 0,
    owner text NOT NULL,
    backend_pid int4 NOT NULL,
    committed_at timestamptz,
    now_at timestamptz,
    sighted_since timestamptz,
    blind_reason text NOT NULL DEFAULT '',
    filters text[] NOT NULL DEFAULT '{}' -- what the broker's session is subscribed to
) WITH (fillfactor = 10);

-- What was measured: immutable, the first value of a key stays. No foreign key: ids come from `datastream`
-- alone and the check would cost more than the row. NaN sorts above infinity, so the bounds exclude it.
DO $$
DECLARE
    hypertable CONSTANT boolean := EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb');
BEGIN
    EXECUTE $table$
        CREATE TABLE observation (
            time timestamptz NOT NULL CHECK (time >= '1900-01-01Z' AND time < '2200-01-01Z'),
            received_at timestamptz NOT NULL,
            value float8 NOT NULL CHECK (value > '-infinity' AND value < 'infinity'),
            datastream int4 NOT NULL,
            quality int2 NOT NULL CHECK (quality IN (1, 2, 3, 4, 9)),
            PRIMARY KEY (datastream, time)
        ) $table$ || CASE WHEN hypertable THEN '' ELSE 'PARTITION BY RANGE (time)' END;
    IF hypertable THEN
        PERFORM create_hypertable(
            'observation', by_range('time', interval '7 days'), create_default_indexes => false);
    END IF;
END $$;

-- The partition of the seven days from `starts` (a whole number of weeks from 1970-01-01Z), made once.
-- ATTACH takes a lock that lets readers and writers go on. TimescaleDB makes its chunks itself.
-- SECURITY DEFINER: the writer's role needs no right to create tables.
CREATE FUNCTION ensure_observation_partition(starts timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = huewatch, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    name CONSTANT text := 'observation_' || to_char(starts, 'YYYYMMDD');
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = 'observation'::regclass) <> 'p' THEN
        RETURN;
    END IF;
    IF extract(epoch FROM starts) % 604800 <> 0 OR starts < '1899-12-01' OR starts >= '2200-01-01' THEN
        RAISE check_violation USING MESSAGE = format('no partition may start at %s', starts);
    END IF;
    PERFORM pg_advisory_xact_lock('observation'::regclass::oid::int8);
    IF to_regclass(format('huewatch.%I', name)) IS NULL THEN
        EXECUTE format('CREATE TABLE %I (LIKE observation INCLUDING ALL)', name);
        EXECUTE format('ALTER TABLE observation ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            name, starts, starts + interval '7 days');
    END IF;
END $$;

-- Another value for a key that stands in `observation`, kept apart.
CREATE TABLE observation_conflict (
    datastream int4 NOT NULL,
    time timestamptz NOT NULL,
    value float8 NOT NULL CHECK (value > '-infinity' AND value < 'infinity'),
    first_received timestamptz NOT NULL,
    last_received timestamptz NOT NULL,
    count int8 NOT NULL,
    PRIMARY KEY (datastream, time, value)
);

-- What could not be read or believed. `payload` holds the first 8 KiB of `payload_size` bytes.
CREATE TABLE quarantine (
    digest bytea PRIMARY KEY,
    topic text NOT NULL,
    payload bytea NOT NULL,
    payload_size int4 NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    codec text NOT NULL,
    codec_version int4 NOT NULL,
    gateway text NOT NULL,
    count int8 NOT NULL,
    first_seen timestamptz NOT NULL,
    last_seen timestamptz NOT NULL
);
CREATE INDEX quarantine_last_seen ON quarantine (last_seen DESC);
CREATE INDEX quarantine_first_seen ON quarantine (first_seen);

-- Nothing disappears: each message and each reading of a minute is in exactly one column.
CREATE TABLE ledger (
    gateway text NOT NULL,
    minute timestamptz NOT NULL,
    messages int8 NOT NULL,
    readable int8 NOT NULL,
    empty int8 NOT NULL,
    unreadable int8 NOT NULL,
    decoded int8 NOT NULL,
    stored int8 NOT NULL,
    duplicate int8 NOT NULL,
    conflict int8 NOT NULL,
    rejected int8 NOT NULL,
    PRIMARY KEY (gateway, minute),
    CONSTRAINT ledger_messages CHECK (messages = readable + empty + unreadable),
    CONSTRAINT ledger_readings CHECK (decoded = stored + duplicate + conflict + rejected)
) WITH (fillfactor = 70);

-- When a message without a time of its own first came, so that its redelivery keeps that time.
CREATE TABLE receipt (
    partition text NOT NULL,
    session int8 NOT NULL,
    packet_id int4 NOT NULL,
    digest bytea NOT NULL,
    received_at timestamptz NOT NULL,
    arrival int8 NOT NULL,
    PRIMARY KEY (partition, session, packet_id)
) WITH (fillfactor = 70);

-- A lost broker session: what was published to these topics in between never came.
CREATE TABLE gap (
    id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partition text NOT NULL,
    session int8 NOT NULL,
    topics text[] NOT NULL,
    started_at timestamptz,
    ended_at timestamptz NOT NULL,
    reason text NOT NULL,
    UNIQUE (partition, session)
);
