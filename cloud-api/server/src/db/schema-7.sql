-- Version 7: the configuration somebody wants a gateway to run.
CREATE TABLE configuration_desired (
  gateway     INTEGER PRIMARY KEY REFERENCES gateway(row),
  request     BLOB NOT NULL,
  state       TEXT NOT NULL,
  ask         TEXT,
  note        TEXT NOT NULL,
  author      TEXT NOT NULL,
  asked_from  TEXT,
  asked_at    INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  sends       INTEGER NOT NULL,
  sent_at     INTEGER,
  ended_at    INTEGER,
  ended_by    TEXT
) STRICT;
