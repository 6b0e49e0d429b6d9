-- What may be told beside the opening and ending of alerts: reminders, what late rows show, what people do.

ALTER TABLE alert_event DROP CONSTRAINT alert_event_kind_check;
ALTER TABLE alert_event ADD CONSTRAINT alert_event_kind_check CHECK (kind IN (
    'raised', 'escalated', 'lowered', 'cleared', 'cancelled', 'reminded', 'late', 'revised',
    'acknowledged', 'assigned', 'commented', 'shelved', 'unshelved'));
