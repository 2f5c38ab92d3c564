// How a gateway is doing, in one word, and which of them is worst.
import type { StateWord } from '@riser/kit';
import { formatAgo, formatBytes, formatCount, formatDelay, formatSpan } from '@riser/kit';
import type { Gateway } from './api/calls';

/** A connection without a heartbeat for this long is not called live. */
const HEARTBEAT_DUE_MS = 90_000;
/** A handful of batches is always on its way. */
const FEW_BATCHES = 20;

export function connectionOf(g: Gateway, now: number): StateWord {
  if (!g.connected)
    return g.last_seen ? { tone: 'fault', word: 'Offline' } : { tone: 'unknown', word: 'Never connected' };
  if (!g.heartbeat_at || now - g.heartbeat_at > HEARTBEAT_DUE_MS)
    return { tone: 'warning', word: 'Not confirmed' };
  if (g.backlog_batches > FEW_BATCHES) return { tone: 'busy', word: 'Catching up' };
  return { tone: 'normal', word: 'Live' };
}

/** What that word means just now. */
export function connectionSentence(g: Gateway, now: number): string {
  if (!g.connected) {
    return g.last_seen
      ? `It was last heard of ${formatAgo(now - g.last_seen)}. It keeps values until it is back; its rules and alarms work on.`
      : 'Its certificate was issued, but it has not connected yet.';
  }
  if (!g.heartbeat_at) return 'Connected; no heartbeat has come yet.';
  const beat = formatAgo(now - g.heartbeat_at);
  if (now - g.heartbeat_at > HEARTBEAT_DUE_MS) return `Connected, but the last heartbeat came ${beat}.`;
  if (g.backlog_batches > FEW_BATCHES) {
    return `Live values flow; ${formatCount(g.backlog_batches)} older batches (${formatBytes(g.backlog_bytes)}) are still to come, the oldest ${formatSpan(g.backlog_age_ms)} old.`;
  }
  return `Heartbeat ${beat}, everything it stored has arrived.`;
}

/** The age a value had when it arrived, by the two clocks; a clock that runs ahead reads as none. */
export function lagOf(g: Gateway): string {
  if (typeof g.lag_ms !== 'number') return 'unknown';
  return formatDelay(g.lag_ms);
}

const TONE_ORDER = { fault: 0, warning: 1, unknown: 2, busy: 3, normal: 4 };

/** Worst first: no connection, then open alarms, then backlog. */
export function worstFirst(now: number): (a: Gateway, b: Gateway) => number {
  return (a, b) =>
    TONE_ORDER[connectionOf(a, now).tone] - TONE_ORDER[connectionOf(b, now).tone] ||
    b.alarms_open - a.alarms_open ||
    b.backlog_batches - a.backlog_batches ||
    a.name.localeCompare(b.name);
}
