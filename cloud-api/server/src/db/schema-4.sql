-- Version 4: every break of an audit log with who took it; where the recount of ledgers stands.
CREATE TABLE audit_fault (
  gateway     INTEGER NOT NULL REFERENCES gateway(row),
  chain       BLOB NOT NULL,
  no          INTEGER NOT NULL,
  reason      TEXT NOT NULL,
  noticed_at  INTEGER NOT NULL,
  taken_at    INTEGER,
  taken_by    TEXT,
  comment     TEXT,
  PRIMARY KEY (gateway, chain, no, reason)
) STRICT, WITHOUT ROWID;
INSERT INTO audit_fault SELECT gateway, x'', no, reason, noticed_at, NULL, NULL, NULL FROM audit_break;
DROP TABLE audit_break;

CREATE TABLE ledger_recount (
  gateway     INTEGER PRIMARY KEY REFERENCES gateway(row),
  hour        INTEGER NOT NULL,
  looked_at   INTEGER NOT NULL
) STRICT;
