-- Version 3: beside each batch, how many of its samples are of which hour and lane.
ALTER TABLE batch ADD COLUMN counts BLOB;
CREATE TABLE lane (
  no   INTEGER PRIMARY KEY,
  name TEXT NOT NULL
);
