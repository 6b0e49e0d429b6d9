-- Who looks for events of one rule or of one severity walks an index, and not the whole sequence.

CREATE INDEX alert_event_rule ON alert_event (rule, seq);
CREATE INDEX alert_event_severity ON alert_event (severity, seq);
