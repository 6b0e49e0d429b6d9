-- What else may be told: an approved text, an alert that nobody has answered, the daily test.

ALTER TABLE alert_event DROP CONSTRAINT alert_event_kind_check;
ALTER TABLE alert_event ADD CONSTRAINT alert_event_kind_check CHECK (kind IN (
    'raised', 'escalated', 'lowered', 'cleared', 'cancelled', 'reminded', 'late', 'revised',
    'acknowledged', 'assigned', 'commented', 'shelved', 'unshelved', 'approved', 'unanswered', 'tested'));
