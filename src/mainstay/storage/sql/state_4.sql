CREATE TABLE job (  -- the same act for many dead letters: how far it has come
    id     INTEGER PRIMARY KEY,
    status TEXT NOT NULL CHECK (status IN ('running', 'done', 'cancelled')),
    body   BLOB NOT NULL
) STRICT;
