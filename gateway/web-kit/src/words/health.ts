// States of link, lanes and devices in words, with the tone they are drawn in.
import type { Breaker, DeviceState, LaneState, LinkState, LinkStatus } from '../model';
import { counted, formatBytes } from '../format/number';
import { formatAgo, formatDelay, formatSpan } from '../format/time';

/** How a state is drawn: shape and colour belong to the tone, the word stands beside it. */
export type Tone = 'normal' | 'busy' | 'warning' | 'fault' | 'unknown';

export interface StateWord {
  tone: Tone;
  word: string;
}

export const DEVICE_WORDS: Record<DeviceState, StateWord> = {
  online: { tone: 'normal', word: 'Online' },
  degraded: { tone: 'warning', word: 'Degraded' },
  offline: { tone: 'fault', word: 'Offline' },
  unknown: { tone: 'unknown', word: 'Not heard of yet' },
};

export const LANE_WORDS: Record<LaneState, StateWord> = {
  up: { tone: 'normal', word: 'Up' },
  degraded: { tone: 'warning', word: 'Degraded' },
  down: { tone: 'fault', word: 'Down' },
  connecting: { tone: 'busy', word: 'Connecting' },
};

export const LINK_WORDS: Record<LinkState, StateWord> = {
  live: { tone: 'normal', word: 'Live' },
  catching_up: { tone: 'busy', word: 'Catching up' },
  connecting: { tone: 'busy', word: 'Connecting' },
  degraded: { tone: 'warning', word: 'Not confirmed' },
  offline: { tone: 'fault', word: 'Offline' },
  disabled: { tone: 'unknown', word: 'Works alone' },
};

export const BREAKER_WORDS: Record<Breaker, string> = {
  closed: 'Closed, requests flow',
  open: 'Open, parked between probes',
  half_open: 'Half open, a probe is on its way',
};

function waiting(link: LinkStatus): string {
  if (link.backlog_batches === 0) return 'Nothing waits to be sent.';
  return `${counted(link.backlog_batches, 'batch', 'batches')} (${formatBytes(link.backlog_bytes)}) wait here, the oldest ${formatSpan(link.backlog_age_ms)}.`;
}

/** What the state of the link means just now, true end to end. */
export function linkSentence(link: LinkStatus, now: number): string {
  const beat = link.last_heartbeat ? formatAgo(now - link.last_heartbeat) : 'never';
  const trip = link.round_trip_ms ?? null;
  switch (link.state) {
    case 'live':
      return trip === null
        ? `A heartbeat came back ${beat}. Nothing old is left to send.`
        : `Through queue, cloud and back in ${formatDelay(trip)}, ${beat}. Nothing old is left to send.`;
    case 'catching_up':
      return `Live values flow; history fills in behind. ${waiting(link)}`;
    case 'connecting':
      return `A connection is being made. ${waiting(link)}`;
    case 'degraded':
      return `Connected, but the cloud confirms nothing. Values are kept here. ${waiting(link)}`;
    case 'offline':
      // Not `since`: every attempt begins it anew.
      return `${link.last_heartbeat ? `No connection; the last heartbeat came back ${beat}.` : 'No connection yet.'} Rules and alarms work on; values are kept here. ${waiting(link)}`;
    case 'disabled':
      return 'No cloud is configured. Everything on this page works without one.';
  }
}
