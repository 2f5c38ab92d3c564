-- held.db: what was collected while the time was not known, until it is. Small or absent. Exists
-- only where the gateway has once waited for the time; batches leave it for the day files.

-- Batches as they would go up the link, but for their stamps and their number. `counts` says how many
-- of the samples are of which stamp and lane (ledger/counts.rs), null in batches from before it.
CREATE TABLE batch (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  line    TEXT NOT NULL,    -- the assumed line of time the stamps are on
  samples INTEGER NOT NULL,
  frame   BLOB NOT NULL
, counts BLOB);

-- What became of a line: by how much its stamps are wrong (milliseconds). Written before the first
-- batch of it leaves.
CREATE TABLE outcome (
  line         TEXT PRIMARY KEY,
  since        INTEGER NOT NULL, -- stamps from here
  until        INTEGER NOT NULL, -- to here, inclusive, are corrected
  by_ms        INTEGER NOT NULL,
  synchronised INTEGER NOT NULL
) WITHOUT ROWID;

-- The batches just being moved, so that a crash in between moves none of them twice.
CREATE TABLE moving (
  one   INTEGER PRIMARY KEY CHECK (one = 1),
  epoch BLOB NOT NULL,    -- numbering,
  seq   INTEGER NOT NULL, -- last number they get
  ids   TEXT NOT NULL     -- and which they are: JSON
);

-- Lanes the counts of batches refer to; the number is only good inside this file.
CREATE TABLE lane (
  no   INTEGER PRIMARY KEY,
  name TEXT NOT NULL
);
