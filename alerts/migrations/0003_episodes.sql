-- The judged record: what event time says of each (rule, target), chained by hashes, and where it stands.

-- Immutable. `hash` is SHA-256 over the other fields, as alerts.episode writes them, and the hash before.
CREATE TABLE alert_episode (
    rule text NOT NULL,
    target text NOT NULL,
    ordinal bigint NOT NULL CHECK (ordinal > 0),
    kind text NOT NULL CHECK (kind IN (
        'raised', 'escalated', 'lowered', 'cleared', 'rule_changed', 'rule_removed')),
    level smallint NOT NULL CHECK (level >= 0),
    event_time timestamptz NOT NULL,
    value float8,
    threshold float8,
    rule_version text NOT NULL,
    previous text NOT NULL,
    hash text NOT NULL,
    PRIMARY KEY (rule, target, ordinal)
);
CREATE INDEX alert_episode_time ON alert_episode (event_time);

-- The judge's state for one (rule, target), written when it changes and never per reading. `ordinal` and
-- `hash` are those of the chain's newest entry; `account` is what was told against the record.
CREATE TABLE alert_judged (
    rule text NOT NULL,
    target text NOT NULL,
    phase smallint NOT NULL CHECK (phase BETWEEN 0 AND 3),
    level smallint NOT NULL CHECK (level >= 0),
    since timestamptz,
    candidate_level smallint NOT NULL CHECK (candidate_level >= 0),
    candidate_since timestamptz,
    ordinal bigint NOT NULL CHECK (ordinal >= 0),
    hash text NOT NULL,
    rule_version text NOT NULL,
    account jsonb NOT NULL,
    PRIMARY KEY (rule, target),
    CHECK ((level > 0) = (phase >= 2))
);
