-- Who works on which sensors, and until when. What they measure meanwhile is flagged as calibrating.

CREATE TABLE maintenance (
    id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject text NOT NULL, -- what was named: a station or a datastream
    datastreams text[] NOT NULL CHECK (cardinality(datastreams) > 0), -- measured ones, and what follows from them
    owner text NOT NULL CHECK (owner <> ''),
    reason text NOT NULL CHECK (reason <> ''),
    begins timestamptz NOT NULL,
    ends timestamptz NOT NULL CHECK (ends > begins AND ends <= begins + interval '8 hours'),
    ended_at timestamptz CHECK (ended_at >= begins AND ended_at <= ends), -- NULL: not ended early
    ended_by text,
    told_at timestamptz, -- when the feed said that it is over
    CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
CREATE INDEX maintenance_until ON maintenance (coalesce(ended_at, ends));
CREATE INDEX maintenance_untold ON maintenance (id) WHERE told_at IS NULL;
