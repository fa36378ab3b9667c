-- inbox.db (written by the edge) and outcomes.db (written by dispatch): raw receipts, durable before anything is answered.

CREATE TABLE receipt (
    seq    INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,  -- UTC microseconds at which it came in
    system TEXT NOT NULL,
    topic  TEXT NOT NULL,
    key    TEXT NOT NULL,     -- the event's identity at its sender
    body   BLOB NOT NULL
) STRICT;

CREATE TABLE seal (  -- the key of each archived receipt; blanking it makes the archive's bytes unreadable for ever
    seq     INTEGER PRIMARY KEY,
    subject INTEGER NOT NULL,
    place   INTEGER NOT NULL,  -- byte offset in its segment
    length  INTEGER NOT NULL,
    segment INTEGER NOT NULL,
    key     BLOB NOT NULL
) STRICT;

CREATE TABLE mark (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE attempt (  -- delivery's own: how each intent fares. Only outcomes.db uses it
    intent  INTEGER PRIMARY KEY,
    status  TEXT NOT NULL CHECK (status IN ('waiting', 'unknown', 'done', 'rejected', 'halted')),
    tries   INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    code    TEXT NOT NULL,
    why     TEXT NOT NULL
) STRICT;

CREATE TABLE listing (  -- what each channel was last told of an item, and what it confirmed
    channel TEXT NOT NULL,
    item    INTEGER NOT NULL,
    told    INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (channel, item)
) STRICT, WITHOUT ROWID;

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
