-- Forecasts as they were made, and what became of them.

-- One row for each forecast made, or withheld while the water moved. Levels in the datastream's unit (m).
-- Immutable. Where `withheld` says why there is none, the arrays are empty.
CREATE TABLE forecast (
    datastream int4 NOT NULL,
    origin timestamptz NOT NULL, -- the time of the newest row that it was made from
    model text NOT NULL, -- name and version
    made_at timestamptz NOT NULL, -- when that row was received
    level float8 NOT NULL, -- at the origin
    withheld text,
    hours float8[] NOT NULL, -- the horizons; the arrays beside have one entry for each
    expected float8[] NOT NULL,
    low float8[] NOT NULL, -- passed with 90 %
    high float8[] NOT NULL, -- passed with 10 %
    mark float8, -- the level that comes next
    chance float8[] NOT NULL, -- of having passed it by each horizon
    passes float8[] NOT NULL, -- hours until it is passed with 10, 50 and 90 %; NULL beyond the longest horizon
    PRIMARY KEY (datastream, origin, model),
    CHECK (withheld IS NULL OR cardinality(hours) = 0),
    CHECK (cardinality(hours) = cardinality(expected) AND cardinality(hours) = cardinality(low)
        AND cardinality(hours) = cardinality(high))
);

-- What became of each horizon of a forecast, once its time has come. `truth` NULL: the series has a gap there.
CREATE TABLE forecast_score (
    datastream int4 NOT NULL,
    origin timestamptz NOT NULL,
    model text NOT NULL,
    hours float8 NOT NULL,
    truth float8,
    error float8, -- expected - truth
    persistence_error float8, -- the level at the origin - truth
    covered boolean, -- whether the truth lay between low and high
    PRIMARY KEY (datastream, origin, model, hours),
    CHECK ((truth IS NULL) = (error IS NULL) AND (truth IS NULL) = (covered IS NULL))
);

-- Running sums of the scores that have a truth. Whole micrometres: a sum does not depend on how it was cut.
CREATE TABLE forecast_skill (
    datastream int4 NOT NULL,
    model text NOT NULL,
    hours float8 NOT NULL,
    scored int8 NOT NULL,
    covered int8 NOT NULL,
    error_um int8 NOT NULL, -- the sum of absolute errors
    persistence_error_um int8 NOT NULL,
    PRIMARY KEY (datastream, model, hours)
);
