-- What people do with alerts, what keeps notices back, and why each receiver did not get an event.

-- One row for each alert that people have touched. What they did is in their events; `version` counts these.
CREATE TABLE alert_handling (
    alert_id uuid PRIMARY KEY,
    version int4 NOT NULL CHECK (version > 0),
    shelved_until timestamptz -- while somebody must say that the shelving is over
);
CREATE INDEX alert_handling_shelved ON alert_handling (shelved_until) WHERE shelved_until IS NOT NULL;

-- Somebody's wish to hear nothing of some alerts; each column that is given must match.
CREATE TABLE silence (
    id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule text,
    station text,
    severity text CHECK (severity IN ('Minor', 'Moderate', 'Severe', 'Extreme')), -- at most so severe
    owner text NOT NULL CHECK (owner <> ''),
    reason text NOT NULL CHECK (reason <> ''),
    begins timestamptz NOT NULL,
    ends timestamptz NOT NULL CHECK (ends > begins AND ends <= begins + interval '8 hours'),
    ended_at timestamptz CHECK (ended_at >= begins AND ended_at <= ends), -- NULL: not ended early
    ended_by text,
    CHECK (num_nonnulls(rule, station, severity) > 0),
    CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
CREATE INDEX silence_until ON silence (coalesce(ended_at, ends));

-- `cause` and `reference`: what suppressed a notice, as `alerts.suppression` names it.
ALTER TABLE delivery_outcome
    DROP CONSTRAINT delivery_outcome_outcome_check,
    ADD COLUMN cause text,
    ADD COLUMN reference text,
    ADD CONSTRAINT delivery_outcome_outcome_check CHECK (outcome IN ('delivered', 'superseded', 'suppressed')),
    ADD CONSTRAINT delivery_outcome_cause_check
        CHECK ((outcome = 'suppressed') = (cause IS NOT NULL) AND (cause IS NULL) = (reference IS NULL));
CREATE INDEX delivery_outcome_suppressed ON delivery_outcome (at) WHERE outcome = 'suppressed';
