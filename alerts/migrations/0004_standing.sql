-- What reminders and escalation by time count from: when the newest event was decided, since when the level has
-- stood (in event time), and whether it was told again as worse.

ALTER TABLE alert_condition
    ADD COLUMN told_at timestamptz,
    ADD COLUMN level_since timestamptz,
    ADD COLUMN prolonged boolean NOT NULL DEFAULT false;
UPDATE alert_condition SET told_at = since, level_since = since WHERE level > 0;
