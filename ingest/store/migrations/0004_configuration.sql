-- Which configuration each `run` has in force, and its answer to whoever asked it to read the files again.
-- Runs with search_path "huewatch, public".

CREATE TABLE configuration (
    partition text PRIMARY KEY,
    version text NOT NULL,
    loaded_at timestamptz NOT NULL,
    asked int8 NOT NULL DEFAULT 0, -- how often a reload was asked for
    answered int8 NOT NULL DEFAULT 0, -- up to which of these it was done or refused
    outcome text NOT NULL DEFAULT '', -- of the newest attempt
    problems text NOT NULL DEFAULT '[]' -- what it was refused for, as JSON
);
