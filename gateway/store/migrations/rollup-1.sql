-- rollup/<year>.db: quarters of an hour, hours and whole days of every point, so that a trend over
-- months opens one file a year instead of one a day. Everything in it is derived from the day files
-- of that year and is made again when it is lost, damaged or outdated. This file is the truth about
-- its tables. Times are milliseconds since 1970 (UTC).

-- One point in one day file. The key is slot * 2^20 + days since 1970, so the days of a point lie
-- side by side. Each column holds cells: min, max, sum, last, count, bad of a stretch with samples,
-- behind them a checksum; a stretch without samples has no cell.
CREATE TABLE day (
  id       INTEGER PRIMARY KEY,
  whole    BLOB NOT NULL,
  hours    BLOB NOT NULL,
  quarters BLOB NOT NULL
);

-- Day files that are in `day`, with what they held then; one that holds something else now is
-- reduced again and until then not drawn from here.
CREATE TABLE done (
  day     INTEGER PRIMARY KEY,
  batches INTEGER NOT NULL,
  samples INTEGER NOT NULL,
  points  INTEGER NOT NULL
);
