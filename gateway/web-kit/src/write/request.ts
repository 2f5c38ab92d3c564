// A write as the person puts it together: value, level and how long it holds, and the sentence that
// names its effect before it is done. Pure.
import { valueSentence } from '../format/value';
import { formatWhen } from '../format/time';
import { priorityName } from '../words/command';
import type { Point, PointValue, PriorityLevel, Reading } from '../model';

/** How long a level is held: a number of seconds, until the end of today, or until released. */
export type Hold = { kind: 'for'; seconds: number } | { kind: 'today' } | { kind: 'released' };

export interface WriteRequest {
  /** Chosen here, so that sending it again cannot have a second effect. */
  id: string;
  /** Null releases the level. */
  value: PointValue | null;
  priority: number;
  hold_seconds: number | null;
}

/** A random UUID, also on a page without TLS where `crypto.randomUUID` is missing. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = [...bytes].map((b) => b.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** Seconds to hold from `now`; null holds until released. */
export function holdSeconds(hold: Hold, now: number): number | null {
  if (hold.kind === 'released') return null;
  if (hold.kind === 'for') return hold.seconds;
  const midnight = new Date(now);
  midnight.setHours(24, 0, 0, 0);
  return Math.max(60, Math.round((midnight.getTime() - now) / 1000));
}

function until(hold: Hold, now: number): string {
  const seconds = holdSeconds(hold, now);
  return seconds === null ? 'until released' : `until ${formatWhen(now + seconds * 1000, now)}`;
}

/** `Supply setpoint 18.0 → 21.0 °C at priority 8, until 16:30`. */
export function effectSentence(
  point: Point,
  reading: Reading,
  write: { value: PointValue | null; priority: number; hold: Hold },
  now: number,
): string {
  const name = `${point.device_name} ${point.name}`;
  if (write.value === null) return `${name}: priority ${priorityName(write.priority)} is released.`;
  const from = valueSentence(point, reading.value);
  const to = valueSentence(point, write.value);
  const change = from === to ? `stays at ${to}, held` : `${from} → ${to}`;
  return `${name}: ${change} at priority ${priorityName(write.priority)}, ${until(write.hold, now)}.`;
}

/** The level that would keep a write from taking effect, if somebody holds a higher one. */
export function blockingLevel(levels: readonly PriorityLevel[], priority: number): PriorityLevel | null {
  const higher = levels.filter((l) => l.level < priority).sort((a, b) => a.level - b.level);
  return higher[0] ?? null;
}

/** Why a value cannot be written, in words, or null. The server checks again. */
export function checkValue(point: Point, value: PointValue | null): string | null {
  if (value === null) return 'Give a value.';
  if (point.kind === 'text')
    return typeof value === 'string' && value.length <= 4096 ? null : 'At most 4,096 characters.';
  if (point.kind === 'bool' || point.kind === 'enum') return null;
  const number = typeof value === 'number' ? value : Number.NaN;
  if (!Number.isFinite(number)) return 'Give a number.';
  if (point.kind === 'integer' && !Number.isInteger(number)) return 'Give a whole number.';
  const { min, max } = point.limits ?? {};
  if (min !== null && min !== undefined && number < min) return `Not below ${valueSentence(point, min)}.`;
  if (max !== null && max !== undefined && number > max) return `Not above ${valueSentence(point, max)}.`;
  return null;
}
