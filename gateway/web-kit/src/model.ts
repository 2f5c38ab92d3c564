// What the kit draws, as it stands in JSON: the shapes of riser-model. Each app checks at compile time
// that the types generated from its openapi.json fit these.

/** Milliseconds since 1970 (UTC). */
export type Timestamp = number;

/** A present or commanded value. */
export type PointValue = boolean | number | string;

export type Level = 'good' | 'uncertain' | 'bad';

export type Reason =
  | 'initial'
  | 'stale'
  | 'device_down'
  | 'fault'
  | 'out_of_range'
  | 'overridden'
  | 'not_configured'
  | 'not_available'
  | 'undecodable'
  | 'clamped';

export interface Quality {
  level: Level;
  reason?: Reason | null;
}

export type ValueKind = 'bool' | 'integer' | 'float' | 'enum' | 'text';

export type Access = 'read' | 'read_write' | 'write';

export interface Limits {
  min?: number | null;
  max?: number | null;
  step?: number | null;
}

export interface Label {
  state: number;
  text: string;
}

/** What is measured or commanded. */
export interface Point {
  /** `device/point` */
  path: string;
  name: string;
  device_name: string;
  kind: ValueKind;
  unit?: string | null;
  access: Access;
  limits?: Limits;
  labels?: Label[];
  deadband?: number | null;
  stale_after_ms: number;
}

/** What was observed last. */
export interface Reading {
  value?: PointValue | null;
  quality: Quality;
  at?: Timestamp | null;
}

export interface PointView extends Point, Reading {
  slot: number;
}

export interface Bucket {
  at: Timestamp;
  min: number;
  max: number;
  mean: number;
  last: number;
  count: number;
  bad: number;
}

export interface Trend {
  from: Timestamp;
  to: Timestamp;
  bucket_ms: number;
  buckets: Bucket[];
  /** Where single samples are not here yet, only figures of a minute or more. */
  rolled_up?: { from: Timestamp; to: Timestamp }[];
}

export type AuthorKind = 'local' | 'cloud' | 'rule' | 'system';

export interface Author {
  kind: AuthorKind;
  name: string;
}

export type AlarmPriority = 'low' | 'medium' | 'high' | 'critical';

export type AlarmState =
  'active_unacknowledged' | 'active_acknowledged' | 'cleared_unacknowledged' | 'normal';

export interface Acknowledgement {
  by: Author;
  at: Timestamp;
  comment: string;
}

export interface Alarm {
  id: string;
  rule: string;
  path: string;
  priority: AlarmPriority;
  message: string;
  state: AlarmState;
  raised_at: Timestamp;
  value?: PointValue | null;
  limit?: number | null;
  cleared_at?: Timestamp | null;
  acknowledged?: Acknowledgement | null;
}

export type CommandState =
  'requested' | 'sent' | 'applied' | 'accepted_not_effective' | 'refused' | 'expired' | 'failed';

export interface Command {
  id: string;
  path: string;
  value?: PointValue | null;
  priority: number;
  issued_at: Timestamp;
  expires_at: Timestamp;
  hold_until?: Timestamp | null;
  author: Author;
}

export interface HeldBy {
  priority: number;
  author?: Author | null;
}

export interface Outcome {
  command: string;
  state: CommandState;
  at: Timestamp;
  detail: string;
  read_back?: PointValue | null;
  held_by?: HeldBy | null;
}

export interface CommandRecord {
  command: Command;
  outcome: Outcome;
}

/** One level of a point's priority array that somebody holds. */
export interface PriorityLevel {
  level: number;
  value: PointValue;
  author: Author;
  until?: Timestamp | null;
}

export type LaneState = 'connecting' | 'up' | 'degraded' | 'down';

export interface LaneHealth {
  lane: string;
  adapter: string;
  state: LaneState;
  requests: number;
  timeouts: number;
  desyncs: number;
  overruns: number;
  connects: number;
  utilisation: number;
  last_error?: string | null;
}

export type DeviceState = 'unknown' | 'online' | 'degraded' | 'offline';

export type Breaker = 'closed' | 'open' | 'half_open';

export interface DeviceHealth {
  device: string;
  name: string;
  adapter: string;
  lane: string;
  address: string;
  state: DeviceState;
  breaker: Breaker;
  last_ok?: Timestamp | null;
  failures: number;
  requests: number;
  errors: number;
  latency_ms?: number | null;
  last_error?: string | null;
}

export type LinkState = 'disabled' | 'offline' | 'connecting' | 'catching_up' | 'live' | 'degraded';

export interface LinkStatus {
  state: LinkState;
  since: Timestamp;
  url: string;
  last_heartbeat?: Timestamp | null;
  round_trip_ms?: number | null;
  backlog_batches: number;
  backlog_bytes: number;
  backlog_age_ms: number;
  bytes_sent: number;
  samples_sent: number;
  connects: number;
  quarantined: number;
  last_error?: string | null;
}

export type Role =
  | 'system_admin'
  | 'tenant_admin'
  | 'manager'
  | 'operator'
  | 'technician'
  | 'installer'
  | 'viewer'
  | 'provider';

/** One entry of the audit log; actions of newer gateways are kept as they are. */
export interface AuditEntry {
  chain: string;
  no: number;
  at: Timestamp;
  actor: string;
  source: string;
  action: string;
  object: string;
  /** JSON; empty for nothing. */
  detail: string;
  previous: string;
  hash: string;
}

export interface AuditBreak {
  no: number;
  reason: string;
  noticed_at?: Timestamp | null;
  acknowledged?: { at: Timestamp; by: string; comment: string } | null;
}
