-- Version 3: the audit logs of gateways.
CREATE TABLE audit (
  gateway     INTEGER NOT NULL REFERENCES gateway(row),
  chain       BLOB NOT NULL,
  no          INTEGER NOT NULL,
  body        TEXT NOT NULL,
  previous    BLOB NOT NULL,
  hash        BLOB NOT NULL,
  PRIMARY KEY (gateway, chain, no)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_by_no ON audit(gateway, no);

CREATE TABLE audit_break (
  gateway     INTEGER PRIMARY KEY REFERENCES gateway(row),
  no          INTEGER NOT NULL,
  reason      TEXT NOT NULL,
  noticed_at  INTEGER NOT NULL
) STRICT;
