ALTER TABLE event ADD COLUMN head INTEGER NOT NULL DEFAULT 0;

CREATE TABLE job (  -- the same act for many dead letters: how far it has come
    id     INTEGER PRIMARY KEY,
    status TEXT NOT NULL CHECK (status IN ('running', 'done', 'cancelled')),
    body   BLOB NOT NULL
) STRICT;
CREATE TABLE shape (  -- what the documents of a system and topic look like: names and types, no values
    system TEXT NOT NULL,
    topic  TEXT NOT NULL,
    body   BLOB NOT NULL,
    PRIMARY KEY (system, topic)
) STRICT, WITHOUT ROWID;
CREATE TABLE drift (  -- where documents came to look otherwise than they did
    id     INTEGER PRIMARY KEY,
    status TEXT NOT NULL CHECK (status IN ('open', 'accepted')),
    body   BLOB NOT NULL
) STRICT;

CREATE TABLE pause (  -- what people hold back; what goes on again keeps its row
    target TEXT PRIMARY KEY,
    mode   TEXT NOT NULL CHECK (mode IN ('paused', 'draining', 'running')),
    at     INTEGER NOT NULL,
    body   BLOB NOT NULL
) STRICT, WITHOUT ROWID;
