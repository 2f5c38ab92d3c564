-- What became of each configuration document.
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

-- What was recorded by now had been given as a file, and was run.
INSERT INTO configuration_fate (version, actor, source, note, state, proven)
  SELECT version, 'riserd', 'file', '', 1, 1 FROM configuration;
