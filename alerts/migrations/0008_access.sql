-- Who may do what at the feed, and what anybody has changed.

-- A person's or a system's key to the feed. Only the hash of the secret is kept.
CREATE TABLE access_token (
    id text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{12}$'),
    name text NOT NULL CHECK (name <> '' AND length(name) <= 80),
    scope text NOT NULL CHECK (scope IN ('read', 'acknowledge', 'administer')), -- it holds those before it
    hash bytea NOT NULL CHECK (length(hash) = 32),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text NOT NULL CHECK (created_by <> ''),
    expires_at timestamptz CHECK (expires_at > created_at), -- NULL: when it is revoked
    revoked_at timestamptz,
    revoked_by text,
    last_used_at timestamptz,
    CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
CREATE UNIQUE INDEX access_token_name ON access_token (name) WHERE revoked_at IS NULL;

-- A browser's stay, opened with a token and over at the latest when the token is.
CREATE TABLE access_session (
    id text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{12}$'),
    token text NOT NULL REFERENCES access_token,
    hash bytea NOT NULL CHECK (length(hash) = 32),
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX access_session_token ON access_session (token, opened_at);

-- Every write, the refused ones too. Rows are only ever added, and become visible in the order of their numbers.
CREATE TABLE audit (
    id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    who text NOT NULL,
    origin text NOT NULL CHECK (origin IN ('http', 'command line')),
    peer text NOT NULL DEFAULT '', -- the address that a request came from
    what text NOT NULL CHECK (what <> ''),
    target text NOT NULL DEFAULT '',
    outcome text NOT NULL CHECK (outcome IN ('done', 'refused')),
    detail text NOT NULL DEFAULT '' -- why it was refused, or what was done in particular
);

-- What a write was answered, for who repeats it under the same key.
CREATE TABLE idempotency (
    who text NOT NULL,
    key text NOT NULL CHECK (key <> '' AND length(key) <= 255),
    request bytea NOT NULL CHECK (length(request) = 32),
    status int2 NOT NULL,
    problem jsonb,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (who, key)
);
CREATE INDEX idempotency_at ON idempotency (at);
