-- How each receiver is doing, beside how far it has come; alerts about ourselves that the feed raises.

-- `since`: when it first appeared; `connected_at`: while a way to it is open; `succeeded_at`: it took something
-- last; `proven_at`: it took the daily test last; `trouble`: what was wrong with the newest that it got, or why
-- nothing is sent to it any more; NULL: nothing.
ALTER TABLE delivery
    ADD COLUMN since timestamptz NOT NULL DEFAULT clock_timestamp(),
    ADD COLUMN connected_at timestamptz,
    ADD COLUMN succeeded_at timestamptz,
    ADD COLUMN proven_at timestamptz,
    ADD COLUMN trouble text;

-- `failed`: the receiver will never take it, for the reason in `error`. Delivered with an error: some of those
-- behind one receiver did not take it.
ALTER TABLE delivery_outcome
    DROP CONSTRAINT delivery_outcome_outcome_check,
    ADD COLUMN error text,
    ADD CONSTRAINT delivery_outcome_outcome_check CHECK (
        outcome IN ('delivered', 'superseded', 'suppressed', 'failed')),
    ADD CONSTRAINT delivery_outcome_error_check CHECK (
        CASE outcome WHEN 'failed' THEN error IS NOT NULL WHEN 'delivered' THEN true ELSE error IS NULL END);

-- Alerts about ourselves that the feed raises, apart from the engine's conditions, which it loads and ends by its
-- rules. `alert_id`: while it is open; `ordinal` counts the events told of the target.
CREATE TABLE self_alert (
    target text PRIMARY KEY,
    alert_id uuid,
    ordinal bigint NOT NULL CHECK (ordinal > 0),
    told_at timestamptz NOT NULL
);

-- Every condition, the engine's and the feed's.
CREATE VIEW standing_condition AS
    SELECT rule, target, phase, level, since, candidate_level, candidate_since, alert_id, opened_at, ordinal,
           rule_version, told_at, level_since, prolonged
    FROM alert_condition
    UNION ALL
    SELECT 'huewatch-self', target, 2::smallint, 1::smallint, told_at, 0::smallint, NULL, alert_id, told_at,
           ordinal, '', told_at, told_at, false
    FROM self_alert WHERE alert_id IS NOT NULL;
