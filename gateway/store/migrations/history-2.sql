-- Version 2: chunks, into which finished days are compacted.
CREATE TABLE run (
  no       INTEGER NOT NULL,
  first    INTEGER NOT NULL,
  last     INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at  INTEGER NOT NULL,
  batches  INTEGER NOT NULL,
  samples  INTEGER NOT NULL,
  bytes    INTEGER NOT NULL, -- of the frames that were
  PRIMARY KEY (no, first)
) WITHOUT ROWID;
CREATE TABLE round (
  no       INTEGER PRIMARY KEY,
  first_at INTEGER NOT NULL,
  last_at  INTEGER NOT NULL,
  chunks   INTEGER NOT NULL,
  samples  INTEGER NOT NULL
);
CREATE TABLE chunk (
  id       INTEGER PRIMARY KEY,
  first_at INTEGER NOT NULL,
  last_at  INTEGER NOT NULL,
  samples  INTEGER NOT NULL,
  usable   INTEGER NOT NULL,
  min      REAL,
  max      REAL,
  sum      REAL,
  first    REAL,
  last     REAL,
  used_at  INTEGER,
  times    INTEGER NOT NULL,
  body     BLOB NOT NULL
);
CREATE TABLE times (
  id   INTEGER PRIMARY KEY,
  body BLOB NOT NULL
);
CREATE TABLE compaction (
  one    INTEGER PRIMARY KEY CHECK (one = 1),
  result INTEGER NOT NULL,
  at     INTEGER NOT NULL
);
