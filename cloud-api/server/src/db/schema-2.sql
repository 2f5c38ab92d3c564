-- Version 2: the loss ledger.
CREATE TABLE ledger (
  gateway     INTEGER NOT NULL REFERENCES gateway(row),
  hour        INTEGER NOT NULL,
  lane        TEXT NOT NULL,
  body        TEXT NOT NULL,
  told_at     INTEGER NOT NULL,
  epoch       INTEGER NOT NULL,
  seq         INTEGER NOT NULL,
  rest        INTEGER NOT NULL,
  PRIMARY KEY (gateway, hour, lane)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger_hour (
  gateway     INTEGER NOT NULL REFERENCES gateway(row),
  hour        INTEGER NOT NULL,
  durable     INTEGER NOT NULL,
  collected   INTEGER NOT NULL,
  received    INTEGER,
  missing     INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (gateway, hour)
) STRICT, WITHOUT ROWID;
CREATE INDEX ledger_hour_to_count ON ledger_hour(gateway, hour) WHERE received IS NULL;

CREATE TABLE ledger_lane (
  gateway     INTEGER NOT NULL REFERENCES gateway(row),
  device      TEXT NOT NULL,
  lane        TEXT NOT NULL,
  PRIMARY KEY (gateway, device)
) STRICT, WITHOUT ROWID;

CREATE TABLE received (
  gateway     INTEGER NOT NULL REFERENCES gateway(row),
  hour        INTEGER NOT NULL,
  point       INTEGER NOT NULL REFERENCES point(row),
  samples     INTEGER NOT NULL,
  PRIMARY KEY (gateway, hour, point)
) STRICT, WITHOUT ROWID;
