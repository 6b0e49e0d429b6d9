-- Rows that were stored while nothing could be decided on them, in their order of arrival. Whoever decides has
-- not seen them: they are handed over before anything newer, and leave this table in that transaction.
-- Runs with search_path "huewatch, public".

CREATE TABLE undecided (
    datastream int4 NOT NULL,
    time timestamptz NOT NULL,
    partition text NOT NULL,
    place int8 GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (datastream, time)
);
CREATE INDEX undecided_place ON undecided (partition, place);

-- Datastreams whose stored levels a corrected zero has changed, until the newest of each is judged again.
CREATE TABLE undecided_level (
    partition text NOT NULL,
    datastream int4 NOT NULL,
    PRIMARY KEY (partition, datastream)
);
