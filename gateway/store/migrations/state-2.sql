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
