-- The loss ledger.
CREATE TABLE ledger_lane (
  no   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
);

CREATE TABLE ledger_slot (
  slot   INTEGER PRIMARY KEY,
  lane   INTEGER NOT NULL,
  since  INTEGER NOT NULL,
  before INTEGER NOT NULL
);

CREATE TABLE ledger (
  hour       INTEGER NOT NULL,
  lane       INTEGER NOT NULL,
  collected  INTEGER NOT NULL,
  stored     INTEGER NOT NULL,
  sent       INTEGER NOT NULL,
  durable    INTEGER NOT NULL,
  queue_full INTEGER NOT NULL,
  disk       INTEGER NOT NULL,
  crash      INTEGER NOT NULL,
  retention  INTEGER NOT NULL,
  damaged    INTEGER NOT NULL,
  refused    INTEGER NOT NULL,
  told       INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (hour, lane)
) WITHOUT ROWID;

CREATE TABLE ledger_epoch (
  epoch   BLOB PRIMARY KEY,
  begins  INTEGER NOT NULL,
  counted INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE ledger_sent (
  epoch BLOB NOT NULL,
  first INTEGER NOT NULL,
  last  INTEGER NOT NULL,
  PRIMARY KEY (epoch, first)
) WITHOUT ROWID;

CREATE TABLE ledger_head (
  one        INTEGER PRIMARY KEY CHECK (one = 1),
  generation INTEGER NOT NULL,
  at         INTEGER NOT NULL,
  disk_from  INTEGER,
  cloud_from INTEGER,
  cloud      INTEGER NOT NULL
);
INSERT INTO ledger_head VALUES (1, 0, 0, NULL, NULL, 0);
