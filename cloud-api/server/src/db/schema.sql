-- The database of riser-cloud, version 3 (PRAGMA user_version). Owns every table; the numbered
-- files beside it bring an older database to this state.
--
-- Words: a time is milliseconds since 1970-01-01 UTC; `gateway` in other tables is gateway.row;
-- `epoch` in other tables is epoch.row; ids of alarms, commands, users and epochs are the 16
-- octets of a UUID; a JSON column holds the riser_model type named beside it.

-- One customer. Made when its first gateway connects or its first user is added.
CREATE TABLE tenant (
  id          TEXT PRIMARY KEY,            -- Key, as in topics and certificates
  name        TEXT NOT NULL,               -- what people read
  created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A person who may log in.
CREATE TABLE user (
  id            BLOB PRIMARY KEY,          -- UUID
  tenant        TEXT REFERENCES tenant(id),-- NULL for a system_admin
  email         TEXT NOT NULL UNIQUE COLLATE NOCASE,
  name          TEXT NOT NULL,
  role          TEXT NOT NULL,             -- riser_model::Role in snake_case
  password_hash TEXT NOT NULL,             -- Argon2id, PHC string
  failed        INTEGER NOT NULL DEFAULT 0,-- wrong passwords since failed_at
  failed_at     INTEGER,                   -- the first of them; NULL when there are none
  locked_until  INTEGER,                   -- NULL when not locked
  created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX user_by_tenant ON user(tenant);

-- Refresh tokens, each good once. A token used twice means a stolen one: its family is revoked.
CREATE TABLE refresh_token (
  id          BLOB PRIMARY KEY,            -- UUID
  user        BLOB NOT NULL REFERENCES user(id) ON DELETE CASCADE,
  family      BLOB NOT NULL,               -- UUID of the log-in it descends from
  hash        BLOB NOT NULL UNIQUE,        -- SHA-256 of the token
  expires_at  INTEGER NOT NULL,
  used_at     INTEGER,                     -- NULL while unused
  revoked     INTEGER NOT NULL DEFAULT 0   -- 0 or 1
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_token_by_family ON refresh_token(family);
CREATE INDEX refresh_token_by_user ON refresh_token(user);

-- A gateway and how its link is doing. Made at its first connect.
CREATE TABLE gateway (
  row             INTEGER PRIMARY KEY,
  tenant          TEXT NOT NULL REFERENCES tenant(id),
  id              TEXT NOT NULL,           -- Key, unique within the tenant
  name            TEXT NOT NULL,           -- what people read
  version         TEXT NOT NULL DEFAULT '',-- of its software, by its hello
  boot            BLOB,                    -- UUID, new with every start of its process
  epoch           INTEGER,                 -- the numbering in use: epoch.row
  connected       INTEGER NOT NULL DEFAULT 0,
  connected_since INTEGER,                 -- cloud clock; NULL while not connected
  last_seen       INTEGER,                 -- cloud clock
  heartbeat_at    INTEGER,                 -- cloud clock, of the last heartbeat
  lag_ms          INTEGER,                 -- cloud clock minus gateway clock of that heartbeat
  backlog_batches INTEGER NOT NULL DEFAULT 0,
  backlog_bytes   INTEGER NOT NULL DEFAULT 0,
  backlog_age_ms  INTEGER NOT NULL DEFAULT 0,
  lost_samples    INTEGER NOT NULL DEFAULT 0, -- what it says it had to drop, by its loss events
  created_at      INTEGER NOT NULL,
  UNIQUE (tenant, id)
) STRICT;

-- A numbering of a gateway's streams. Rows are in the order the epochs were first heard of.
CREATE TABLE epoch (
  row         INTEGER PRIMARY KEY,
  gateway     INTEGER NOT NULL REFERENCES gateway(row),
  uuid        BLOB NOT NULL,
  dictionary  INTEGER NOT NULL DEFAULT 0,  -- version of the newest point directory applied
  longest_ms  INTEGER NOT NULL DEFAULT 0,  -- longest last_at - first_at of its data batches
  created_at  INTEGER NOT NULL,
  UNIQUE (gateway, uuid)
) STRICT;

-- A point, the same row across epochs: history, alarms and commands refer to its path.
CREATE TABLE point (
  row         INTEGER PRIMARY KEY,
  gateway     INTEGER NOT NULL REFERENCES gateway(row),
  path        TEXT NOT NULL,               -- device/point
  device      TEXT NOT NULL,               -- first half of the path
  slot        INTEGER NOT NULL,            -- in the newest epoch that has it
  present     INTEGER NOT NULL DEFAULT 1,  -- 0: the gateway does not have it any more
  search      TEXT NOT NULL,               -- path, name, device name in lower case
  definition  TEXT NOT NULL,               -- JSON: Point
  UNIQUE (gateway, path)
) STRICT;

CREATE INDEX point_present ON point(gateway, path) WHERE present = 1;

-- Which point a slot means in an epoch; never reused, so batches stay readable for ever.
CREATE TABLE slot (
  epoch  INTEGER NOT NULL REFERENCES epoch(row),
  slot   INTEGER NOT NULL,
  point  INTEGER NOT NULL REFERENCES point(row),
  PRIMARY KEY (epoch, slot)
) STRICT, WITHOUT ROWID;
CREATE INDEX slot_by_point ON slot(point);

-- Present value of a point; absent when nothing was ever read.
CREATE TABLE latest (
  point    INTEGER PRIMARY KEY REFERENCES point(row),
  at       INTEGER NOT NULL,               -- source time
  kind     INTEGER NOT NULL,               -- 0 unknown, 1 bool, 2 integer, 3 float, 4 text
  value    ANY,                            -- NULL for unknown, and for a float that is NaN
  quality  INTEGER NOT NULL,               -- Quality::code
  epoch    INTEGER NOT NULL,               -- of the batch it came in: one numbered later wins,
  seq      INTEGER NOT NULL                -- so a clock that was wrong once does no lasting harm
) STRICT;

-- The record: frames as they arrived (riser_wire). A data frame holds many samples, an event
-- frame one event. To read a point over [from, to): rows of every epoch that has a slot for it,
-- with stream = 2 AND first_at >= from - epoch.longest_ms AND first_at < to AND last_at >= from.
-- first_at is the gateway's own, so a resent batch lands in the same place whatever the
-- partitioning.
CREATE TABLE batch (
  epoch        INTEGER NOT NULL REFERENCES epoch(row),
  stream       INTEGER NOT NULL,           -- 1 event, 2 data
  seq          INTEGER NOT NULL,           -- from 1, dense
  first_at     INTEGER NOT NULL,
  last_at      INTEGER NOT NULL,
  samples      INTEGER NOT NULL,
  dictionary   INTEGER NOT NULL,
  received_at  INTEGER NOT NULL,           -- cloud clock
  frame        BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX batch_once ON batch(epoch, stream, seq);
CREATE INDEX batch_by_time ON batch(epoch, first_at, last_at) WHERE stream = 2;

-- What is committed of a stream, kept in the same transaction as the batches themselves.
CREATE TABLE durable (
  epoch       INTEGER NOT NULL REFERENCES epoch(row),
  stream      INTEGER NOT NULL,
  contiguous  INTEGER NOT NULL,            -- everything from 1 to this
  ranges      BLOB NOT NULL,               -- above it: pairs of u64 little-endian, inclusive
  PRIMARY KEY (epoch, stream)
) STRICT, WITHOUT ROWID;

-- Frames that could not be used, kept aside with the reason while the rest flows.
CREATE TABLE quarantine (
  row          INTEGER PRIMARY KEY,
  gateway      INTEGER NOT NULL REFERENCES gateway(row),
  epoch        BLOB,                       -- UUID; NULL when even the header was unreadable
  stream       INTEGER,
  seq          INTEGER,
  received_at  INTEGER NOT NULL,
  reason       TEXT NOT NULL,
  frame        BLOB,                       -- NULL once the gateway's share is used up
  UNIQUE (gateway, epoch, stream, seq)
) STRICT;

-- One occurrence of an alarm, after the newest event about it.
CREATE TABLE alarm (
  gateway       INTEGER NOT NULL REFERENCES gateway(row),
  id            BLOB NOT NULL,
  path          TEXT NOT NULL,
  state         TEXT NOT NULL,             -- AlarmState in snake_case
  open          INTEGER NOT NULL,          -- 1 while active or not acknowledged
  raised_at     INTEGER NOT NULL,
  body          TEXT NOT NULL,             -- JSON: Alarm
  epoch         INTEGER NOT NULL,          -- of the event applied last: older ones change nothing
  seq           INTEGER NOT NULL,
  PRIMARY KEY (gateway, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX alarm_by_time ON alarm(gateway, raised_at);
CREATE INDEX alarm_open ON alarm(gateway) WHERE open = 1;

-- Acknowledgements on their way down; a row goes when the alarm comes back acknowledged or over.
CREATE TABLE acknowledgement (
  gateway     INTEGER NOT NULL REFERENCES gateway(row),
  alarm       BLOB NOT NULL,
  body        TEXT NOT NULL,               -- JSON: Acknowledgement
  created_at  INTEGER NOT NULL,
  taken_from  TEXT,                        -- network address of the person; NULL where not known
  PRIMARY KEY (gateway, alarm)
) STRICT, WITHOUT ROWID;

-- A command and where it stands, whoever issued it.
CREATE TABLE command (
  gateway     INTEGER NOT NULL REFERENCES gateway(row),
  id          BLOB NOT NULL,
  path        TEXT,                        -- NULL while only its outcome has come
  body        TEXT,                        -- JSON: Command; NULL likewise
  state       TEXT NOT NULL,               -- CommandState in snake_case
  outcome     TEXT NOT NULL,               -- JSON: Outcome
  issued_at   INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  pending     INTEGER NOT NULL,            -- 1: of the cloud, to be sent until it has an outcome
  sent_at     INTEGER,                     -- cloud clock, when it last went out
  epoch       INTEGER NOT NULL,            -- of the outcome applied last; 0 for the cloud's own
  seq         INTEGER NOT NULL,
  issued_from TEXT,                        -- network address of the person; NULL where not known
  PRIMARY KEY (gateway, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX command_by_time ON command(gateway, issued_at);
CREATE INDEX command_by_path ON command(gateway, path, issued_at);
CREATE INDEX command_by_id ON command(id);
CREATE INDEX command_pending ON command(expires_at) WHERE pending = 1;

-- Serial numbers that must never connect again, in lower-case hexadecimal. Only grows.
CREATE TABLE revoked (
  serial      TEXT PRIMARY KEY,
  revoked_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a gateway says became of its samples, per closed hour (begin) and lane; the newest word wins.
-- `rest`: collected, neither durable nor dropped.
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

-- An hour of a gateway: its own figures added up, and what is committed here (NULL until counted).
-- `missing`: called durable and not here, or here and never collected.
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

-- Which lane a device is on, as the gateway told last.
CREATE TABLE ledger_lane (
  gateway     INTEGER NOT NULL REFERENCES gateway(row),
  device      TEXT NOT NULL,
  lane        TEXT NOT NULL,
  PRIMARY KEY (gateway, device)
) STRICT, WITHOUT ROWID;

-- Samples committed here, per hour and point, counted out of the frames after the gateway told.
CREATE TABLE received (
  gateway     INTEGER NOT NULL REFERENCES gateway(row),
  hour        INTEGER NOT NULL,
  point       INTEGER NOT NULL REFERENCES point(row),
  samples     INTEGER NOT NULL,
  PRIMARY KEY (gateway, hour, point)
) STRICT, WITHOUT ROWID;

-- The audit logs of gateways, as they came up. A chain ends where a log was lost or restored.
CREATE TABLE audit (
  gateway     INTEGER NOT NULL REFERENCES gateway(row),
  chain       BLOB NOT NULL,               -- UUID
  no          INTEGER NOT NULL,
  body        TEXT NOT NULL,               -- JSON: AuditEntry
  previous    BLOB NOT NULL,
  hash        BLOB NOT NULL,
  PRIMARY KEY (gateway, chain, no)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_by_no ON audit(gateway, no);

-- Breaks of the audit logs of gateways, with who took note of them here; they stay. `chain` is
-- empty for those of version 3, which did not keep it.
CREATE TABLE audit_fault (
  gateway     INTEGER NOT NULL REFERENCES gateway(row),
  chain       BLOB NOT NULL,               -- UUID
  no          INTEGER NOT NULL,
  reason      TEXT NOT NULL,
  noticed_at  INTEGER NOT NULL,            -- cloud clock
  taken_at    INTEGER,                     -- cloud clock
  taken_by    TEXT,
  comment     TEXT,
  PRIMARY KEY (gateway, chain, no, reason)
) STRICT, WITHOUT ROWID;

-- How far the recount of a gateway's hours is: the last one looked at, from the newest back.
CREATE TABLE ledger_recount (
  gateway     INTEGER PRIMARY KEY REFERENCES gateway(row),
  hour        INTEGER NOT NULL,
  looked_at   INTEGER NOT NULL
) STRICT;

-- What a gateway has reduced because it cannot send its batches yet: frames as they arrived. A
-- stretch sent again takes the place of what was there. Never the record: batches speak wherever
-- there are as many samples of them, and rows go once their hour is complete.
CREATE TABLE rollup (
  epoch        INTEGER NOT NULL REFERENCES epoch(row),
  minute       INTEGER NOT NULL,           -- the first, since 1970
  minutes      INTEGER NOT NULL,
  piece        INTEGER NOT NULL,           -- which frame of the stretch, from 0
  pieces       INTEGER NOT NULL,           -- how many it has
  dictionary   INTEGER NOT NULL,
  received_at  INTEGER NOT NULL,           -- cloud clock
  frame        BLOB NOT NULL,
  PRIMARY KEY (epoch, minute, minutes, piece)
) STRICT;

-- Samples of an hour that are here as rollups only; counted with `received`. No row for none.
CREATE TABLE rolled_hour (
  gateway     INTEGER NOT NULL REFERENCES gateway(row),
  hour        INTEGER NOT NULL,
  samples     INTEGER NOT NULL,
  PRIMARY KEY (gateway, hour)
) STRICT, WITHOUT ROWID;

-- The newest configuration somebody at the cloud wants a gateway to run, or wanted: one for each
-- gateway, a newer one takes its place. The document is kept until it is over and no longer: it may
-- hold secrets.
CREATE TABLE configuration_desired (
  gateway     INTEGER PRIMARY KEY REFERENCES gateway(row),
  request     BLOB NOT NULL,               -- UUID; the gateway's audit log answers with it
  state       TEXT NOT NULL,               -- waiting, sent, answered, expired, cancelled
  ask         TEXT,                        -- ConfigurationAsk; NULL once it is over
  note        TEXT NOT NULL,
  author      TEXT NOT NULL,               -- Author
  asked_from  TEXT,                        -- network address of the author
  asked_at    INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  sends       INTEGER NOT NULL,            -- how often it went out
  sent_at     INTEGER,                     -- the last time
  ended_at    INTEGER,
  ended_by    TEXT                         -- what the gateway answered, or who cancelled it
) STRICT;
