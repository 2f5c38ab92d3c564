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
-- where a time is. The frame is the last column, so headers are read without it; `counts`, which came
-- later, says how many of the samples are of which hour and lane (ledger/counts.rs), null in batches
-- from before.
CREATE TABLE batch (
  id       INTEGER PRIMARY KEY,
  first_at INTEGER NOT NULL,
  last_at  INTEGER NOT NULL,
  samples  INTEGER NOT NULL,
  frame    BLOB NOT NULL
, counts BLOB);

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

-- Below: what compaction makes of the tables above once the day is over and nothing of it waits for
-- the cloud. Then `batch`, `span` and `rollup` are empty, but for batches that cannot be read and
-- for what is added when the clock is set back to this day.

-- Numbers whose samples are in `chunk`.
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

-- Chunks are written in rounds, as memory allows: each holds what has come of many points since the
-- round before. The times are those of its samples.
CREATE TABLE round (
  no       INTEGER PRIMARY KEY,
  first_at INTEGER NOT NULL,
  last_at  INTEGER NOT NULL,
  chunks   INTEGER NOT NULL,
  samples  INTEGER NOT NULL
);

-- One point's samples of a round, in order of time. The key is round.no * 2^32 + slot. The figures
-- are over the samples with a usable value (`usable` of `samples`), null without one; `used_at` is
-- the time of `last`. The body holds values, quality and reason of each sample, bit by bit.
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

-- Source times of chunks; points that are read together share a row.
CREATE TABLE times (
  id   INTEGER PRIMARY KEY,
  body BLOB NOT NULL
);

-- Compaction was done (1), or is not worth it (2).
CREATE TABLE compaction (
  one    INTEGER PRIMARY KEY CHECK (one = 1),
  result INTEGER NOT NULL,
  at     INTEGER NOT NULL
);

-- Lanes the counts of batches refer to; the number is only good inside this file.
CREATE TABLE lane (
  no   INTEGER PRIMARY KEY,
  name TEXT NOT NULL
);
