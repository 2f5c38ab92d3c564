-- history/<day>.db: what was collected on one day (of the gateway's clock, UTC). Self-contained:
-- a file can be read, sent and drawn without state.db. This file is the truth about its tables.
-- Times are milliseconds since 1970 (UTC).

-- Numberings used in this file; `no` is only good inside it.
CREATE TABLE epoch (
  no INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE
);

-- One batch a row, encoded once, in the octets that go up the link. The key is
-- epoch.no * 2^40 + seq, so rows are appended in order and need no second index: `span` says
-- where a time is. The frame is the last column, so headers are read without it.
CREATE TABLE batch (
  id       INTEGER PRIMARY KEY,
  first_at INTEGER NOT NULL,
  last_at  INTEGER NOT NULL,
  samples  INTEGER NOT NULL,
  frame    BLOB NOT NULL
);

-- About one row a minute: which batches were committed in it and which times they hold. Takes the
-- place of an index by time, which would cost one more page at every commit. Batches after the
-- newest span are found by key. `rolled_to` is the minute before which every sample of the
-- batches up to `last_id` is in `rollup`.
CREATE TABLE span (
  last_id      INTEGER PRIMARY KEY,
  first_id     INTEGER NOT NULL,
  first_at     INTEGER NOT NULL,
  last_at      INTEGER NOT NULL,
  batches      INTEGER NOT NULL,
  samples      INTEGER NOT NULL,
  bytes        INTEGER NOT NULL,
  committed_at INTEGER NOT NULL, -- when the first of them was committed
  rolled_to    INTEGER NOT NULL
);

-- Minutes of 256 neighbouring points reduced to min, max, sum, count, last, bad. The key is
-- (slot / 256) * 2^32 + minutes since 1970, so the minutes of a point lie side by side.
CREATE TABLE rollup (
  id    INTEGER PRIMARY KEY,
  cells BLOB NOT NULL
);

-- The point directory the batches refer to (PointDirectory as JSON, zstd), so slots survive the
-- loss of state.db. The newest version is enough: slots are never reused.
CREATE TABLE directory (
  version INTEGER PRIMARY KEY,
  body    BLOB NOT NULL
);

-- Sums over the whole file, written when its day is over.
CREATE TABLE summary (
  one       INTEGER PRIMARY KEY CHECK (one = 1),
  first_at  INTEGER NOT NULL,
  last_at   INTEGER NOT NULL,
  batches   INTEGER NOT NULL,
  samples   INTEGER NOT NULL,
  bytes     INTEGER NOT NULL,
  sealed_at INTEGER NOT NULL
);
