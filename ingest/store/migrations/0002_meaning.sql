-- What each value is worth, whose clock its time is from, what is computed from it, what a codec remembers.
-- Runs with search_path "huewatch, public".

-- `time_source`: 1 device, 2 gateway, 3 network server, 4 arrival, 5 corrected; 0 was not recorded.
-- `tests`: the flag of each quality test, four bits each, as `ingest.quality` packs them; 0 was not run.
ALTER TABLE observation
    ADD COLUMN time_source int2 NOT NULL DEFAULT 0 CHECK (time_source BETWEEN 0 AND 5),
    ADD COLUMN tests int8 NOT NULL DEFAULT 0;

-- Flags are ours and may change when a later sample decides; the newest revision stands.
CREATE TABLE quality_revision (
    datastream int4 NOT NULL,
    time timestamptz NOT NULL,
    quality int2 NOT NULL CHECK (quality IN (1, 2, 3, 4, 9)),
    tests int8 NOT NULL,
    revision int4 NOT NULL,
    revised_at timestamptz NOT NULL,
    PRIMARY KEY (datastream, time)
);

-- Results computed from observations; late data and corrected zeros raise the revision. A NULL value is
-- unknown. `first_value` and `first_quality` are as they first were known, which alerts were decided on; NULL
-- while they stand so. For a measured datastream it holds the levels that a corrected zero gives.
CREATE TABLE derived (
    time timestamptz NOT NULL,
    inputs_until timestamptz NOT NULL,
    value float8 CHECK (value > '-infinity' AND value < 'infinity'),
    datastream int4 NOT NULL,
    coverage float4 NOT NULL CHECK (coverage BETWEEN 0 AND 1),
    quality int2 NOT NULL CHECK (quality IN (1, 2, 3, 4, 9)),
    revision int4 NOT NULL,
    first_value float8,
    first_quality int2,
    PRIMARY KEY (datastream, time)
);

-- Observations as they are to be read now. `first_quality` is the flag at arrival, which alerts were decided on.
CREATE VIEW observation_current AS
SELECT o.datastream, o.time, coalesce(d.value, o.value) AS value, coalesce(q.quality, o.quality) AS quality,
    o.received_at, o.time_source, coalesce(q.tests, o.tests) AS tests, o.quality AS first_quality
FROM observation o
LEFT JOIN derived d ON d.datastream = o.datastream AND d.time = o.time
LEFT JOIN quality_revision q ON q.datastream = o.datastream AND q.time = o.time;

-- Every zero that levels were computed with. A corrected one is a new revision; none is forgotten.
CREATE TABLE installation (
    datastream int4 NOT NULL,
    valid_from timestamptz NOT NULL, -- '-infinity' where the catalogue gives no date
    revision int4 NOT NULL,
    zero_elevation float8, -- NULL: the catalogue has this date no more
    source text NOT NULL, -- gateway/device/channel
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (datastream, valid_from, revision)
);

-- What a codec must know of earlier messages, such as the names in a birth.
CREATE TABLE codec_memory (
    codec text NOT NULL,
    gateway text NOT NULL,
    key text NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (codec, gateway, key)
);

-- A quarantined message may be read again under today's configuration; it is resolved when nothing of it was
-- refused for the same reason then.
ALTER TABLE quarantine
    ADD COLUMN replay_requested_at timestamptz,
    ADD COLUMN replayed_at timestamptz,
    ADD COLUMN resolved_at timestamptz;
CREATE INDEX quarantine_replay ON quarantine (first_seen) WHERE replay_requested_at IS NOT NULL;
