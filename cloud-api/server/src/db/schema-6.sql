-- Version 6: rollups of time whose batches have not come yet.
CREATE TABLE rollup (
  epoch        INTEGER NOT NULL REFERENCES epoch(row),
  minute       INTEGER NOT NULL,
  minutes      INTEGER NOT NULL,
  piece        INTEGER NOT NULL,
  pieces       INTEGER NOT NULL,
  dictionary   INTEGER NOT NULL,
  received_at  INTEGER NOT NULL,
  frame        BLOB NOT NULL,
  PRIMARY KEY (epoch, minute, minutes, piece)
) STRICT;

CREATE TABLE rolled_hour (
  gateway     INTEGER NOT NULL REFERENCES gateway(row),
  hour        INTEGER NOT NULL,
  samples     INTEGER NOT NULL,
  PRIMARY KEY (gateway, hour)
) STRICT, WITHOUT ROWID;
