CREATE TABLE alert (  -- causes of alarm, and what was told of each. Only outcomes.db uses it
    cause TEXT PRIMARY KEY,
    body  BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE message (  -- what owners are told: each message by each of its ways
    id     TEXT PRIMARY KEY,
    at     INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('waiting', 'sent', 'failed')),
    body   BLOB NOT NULL
) STRICT;
