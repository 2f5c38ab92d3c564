-- state.db: everything small that must survive. This file is the truth about its tables; the
-- numbered steps that lead older files here are in ../migrations, and a test compares the two.
-- Times are milliseconds since 1970 (UTC). Epochs and ids are 16 octets of a UUID.

-- Numberings this store has used, the newest last. Sequence numbers of both streams are dense
-- within one epoch; a new one begins whenever a number could repeat.
CREATE TABLE epoch (
  no       INTEGER PRIMARY KEY,
  id       BLOB NOT NULL UNIQUE,
  begun_at INTEGER NOT NULL,
  reason   TEXT NOT NULL
);

-- Day files of history/ that must be there. The one with the highest `opened` was written last.
-- `dropping` is set before a file is unlinked, so a crash in between is finished at opening.
CREATE TABLE history_file (
  name     TEXT PRIMARY KEY,
  opened   INTEGER NOT NULL,
  dropping INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- What is settled: durable in the cloud, or dropped here with a loss event. Inclusive ranges,
-- disjoint. May lag behind what the cloud has said; that only causes harmless repeats.
CREATE TABLE durable (
  epoch  BLOB NOT NULL,
  stream INTEGER NOT NULL, -- 1 event, 2 data
  first  INTEGER NOT NULL,
  last   INTEGER NOT NULL,
  PRIMARY KEY (epoch, stream, first)
) WITHOUT ROWID;

-- What the cloud refused for good. Settled too. Data stays in its day file, an event is kept here.
CREATE TABLE refused (
  epoch  BLOB NOT NULL,
  stream INTEGER NOT NULL,
  seq    INTEGER NOT NULL,
  at     INTEGER NOT NULL,
  reason TEXT NOT NULL,
  frame  BLOB,
  PRIMARY KEY (epoch, stream, seq)
) WITHOUT ROWID;

-- Events of the newest epoch that are not durable yet, encoded as they go up.
CREATE TABLE event (
  seq   INTEGER PRIMARY KEY,
  at    INTEGER NOT NULL,
  frame BLOB NOT NULL
);

-- Points with their slots. AUTOINCREMENT: a slot is never given out twice. A retired point keeps
-- its row, so its path finds its slot, and with it its history, should it come back.
CREATE TABLE point (
  slot    INTEGER PRIMARY KEY AUTOINCREMENT,
  path    TEXT NOT NULL UNIQUE,
  body    TEXT NOT NULL, -- riser_model::Point as JSON
  retired INTEGER NOT NULL DEFAULT 0
);

-- Version of the table above; one row.
CREATE TABLE directory (
  one     INTEGER PRIMARY KEY CHECK (one = 1),
  version INTEGER NOT NULL
);
INSERT INTO directory VALUES (1, 0);

-- Alarms, open and over.
CREATE TABLE alarm (
  id        BLOB PRIMARY KEY,
  path      TEXT NOT NULL,
  open      INTEGER NOT NULL, -- 1 until the occurrence is over
  raised_at INTEGER NOT NULL,
  body      TEXT NOT NULL     -- riser_model::Alarm as JSON
) WITHOUT ROWID;
CREATE INDEX alarm_by_time ON alarm (open, raised_at);

-- Commands with their latest outcome. The key makes a repeated command known for what it is.
CREATE TABLE command (
  id        BLOB PRIMARY KEY,
  path      TEXT NOT NULL,
  final     INTEGER NOT NULL, -- 1 once nothing more will happen
  issued_at INTEGER NOT NULL,
  body      TEXT NOT NULL     -- riser_model::CommandRecord as JSON
) WITHOUT ROWID;
CREATE INDEX command_by_path ON command (path, issued_at);
CREATE INDEX command_by_time ON command (issued_at);

-- People who may log in here.
CREATE TABLE user (
  name          TEXT PRIMARY KEY,
  role          TEXT NOT NULL,
  password_hash TEXT NOT NULL,              -- PHC string
  failed        INTEGER NOT NULL DEFAULT 0, -- wrong passwords in a row
  locked_until  INTEGER,
  created_at    INTEGER NOT NULL
) WITHOUT ROWID;

-- Logins; only a digest of the token is kept.
CREATE TABLE session (
  token_hash BLOB PRIMARY KEY,
  user       TEXT NOT NULL REFERENCES user (name) ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX session_by_user ON session (user);

-- Configuration documents as they were applied, the newest last.
CREATE TABLE configuration (
  version    INTEGER PRIMARY KEY AUTOINCREMENT,
  applied_at INTEGER NOT NULL,
  sha256     BLOB NOT NULL,
  body       TEXT NOT NULL
);

-- Single values, such as the claim code's hash.
CREATE TABLE kv (
  key   TEXT PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID;

-- The audit log: append-only, each entry chained to the one before by its hash
-- (riser_model::audit says what the hash is taken over). Triggers refuse changes; old entries go
-- only behind the anchor.
CREATE TABLE audit (
  no       INTEGER PRIMARY KEY AUTOINCREMENT, -- dense
  chain    BLOB NOT NULL,
  at       INTEGER NOT NULL,
  actor    TEXT NOT NULL,
  source   TEXT NOT NULL,
  action   TEXT NOT NULL,
  object   TEXT NOT NULL,
  detail   TEXT NOT NULL,
  previous BLOB NOT NULL,
  hash     BLOB NOT NULL
);
CREATE INDEX audit_by_action ON audit (action, no);

-- The chain new entries belong to, and the entry before the oldest kept; one row.
CREATE TABLE audit_anchor (
  one   INTEGER PRIMARY KEY CHECK (one = 1),
  chain BLOB NOT NULL,
  no    INTEGER NOT NULL,
  hash  BLOB NOT NULL
);
INSERT INTO audit_anchor VALUES (1, randomblob(16), 0, zeroblob(32));

CREATE TRIGGER audit_not_changed BEFORE UPDATE ON audit
BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_not_deleted BEFORE DELETE ON audit
WHEN OLD.no > (SELECT no FROM audit_anchor)
BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_anchor_follows BEFORE UPDATE ON audit_anchor
WHEN NEW.no <> OLD.no AND NOT EXISTS (
  SELECT 1 FROM audit WHERE no = NEW.no AND hash = NEW.hash AND no > OLD.no)
BEGIN
  SELECT RAISE(ABORT, 'the anchor of the audit log only moves along the log');
END;
CREATE TRIGGER audit_anchor_stays BEFORE DELETE ON audit_anchor
BEGIN
  SELECT RAISE(ABORT, 'the audit log keeps its anchor');
END;

-- Lanes of the loss ledger. Lane 0 has no row: points nobody has put on a lane.
CREATE TABLE ledger_lane (
  no   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
);

-- The lane a slot is on; samples from before `since` came from lane `before`.
CREATE TABLE ledger_slot (
  slot   INTEGER PRIMARY KEY,
  lane   INTEGER NOT NULL,
  since  INTEGER NOT NULL,
  before INTEGER NOT NULL
);

-- What became of every sample, per hour (begin, ms) and lane, in samples. `told` is 1 once the hour
-- went up, 2 once nothing of it waited then.
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

-- Batches of these epochs are in `ledger.stored` after `begins` up to and including `counted`; later
-- ones are counted from the day files at opening, earlier ones are older than the ledger.
CREATE TABLE ledger_epoch (
  epoch   BLOB PRIMARY KEY,
  begins  INTEGER NOT NULL,
  counted INTEGER NOT NULL
) WITHOUT ROWID;

-- Batches the link has sent at least once. Inclusive ranges.
CREATE TABLE ledger_sent (
  epoch BLOB NOT NULL,
  first INTEGER NOT NULL,
  last  INTEGER NOT NULL,
  PRIMARY KEY (epoch, first)
) WITHOUT ROWID;

-- The last writing of the ledger: its number, when, and the oldest hours of which samples waited
-- for the disk and for the cloud then; one row.
CREATE TABLE ledger_head (
  one        INTEGER PRIMARY KEY CHECK (one = 1),
  generation INTEGER NOT NULL,
  at         INTEGER NOT NULL,
  disk_from  INTEGER,
  cloud_from INTEGER,
  cloud      INTEGER NOT NULL
);
INSERT INTO ledger_head VALUES (1, 0, 0, NULL, NULL, 0);

-- What became of each configuration document: `state` 0 waits to be confirmed until `until`, 1 counts,
-- 2 was taken back. The newest that was not taken back is the one to run. `starts` is how often it
-- was started and did not end in order since it last ran steadily (`proven`); `before` says how the
-- field was doing before it, as JSON.
CREATE TABLE configuration_fate (
  version  INTEGER PRIMARY KEY,
  actor    TEXT NOT NULL,
  source   TEXT NOT NULL,
  note     TEXT NOT NULL,
  state    INTEGER NOT NULL,
  until    INTEGER,
  ended_at INTEGER,
  ended_by TEXT NOT NULL DEFAULT '',
  reason   TEXT NOT NULL DEFAULT '',
  proven   INTEGER NOT NULL DEFAULT 0,
  starts   INTEGER NOT NULL DEFAULT 0,
  before   TEXT NOT NULL DEFAULT ''
);
