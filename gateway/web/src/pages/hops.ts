// The way of a value in words: what the field, this gateway and the cloud are doing.
import {
  counted,
  formatBytes,
  formatCount,
  formatSpan,
  linkSentence,
  LINK_WORDS,
  type Hop,
  type StateWord,
} from '@riser/kit';
import type { Overview } from '../api/calls';

const RUNNING = new Set(['running', 'starting']);

function fieldState(o: Overview): StateWord {
  const { online, degraded, offline, unknown } = o.devices;
  if (online + degraded + offline + unknown === 0) return { tone: 'unknown', word: 'No devices' };
  if (o.adapters.some((a) => !RUNNING.has(a.state))) return { tone: 'fault', word: 'Adapter stopped' };
  if (online + degraded + unknown === 0) return { tone: 'fault', word: 'Silent' };
  if (offline + degraded > 0) return { tone: 'warning', word: 'Degraded' };
  return unknown > 0 ? { tone: 'busy', word: 'Starting' } : { tone: 'normal', word: 'Answers' };
}

function fieldHop(o: Overview): Hop {
  const { online, degraded, offline, unknown } = o.devices;
  const all = online + degraded + offline + unknown;
  const parts =
    all === 0
      ? ['No device is configured yet.']
      : [`${formatCount(online + degraded)} of ${formatCount(all)} devices answer.`];
  if (degraded > 0) parts.push(`${formatCount(degraded)} only in part.`);
  for (const a of o.adapters.filter((x) => !RUNNING.has(x.state))) {
    parts.push(
      `Adapter ${a.name} is ${a.state.replace('_', ' ')}${a.last_error ? `: ${a.last_error}` : ''}.`,
    );
  }
  return { name: 'Field', state: fieldState(o), text: parts.join(' ') };
}

/** What a filling disk has made the gateway give up. */
const STAGES: Record<Exclude<Overview['store']['stage'], 'ample'>, StateWord> = {
  low: { tone: 'warning', word: 'Disk fills' },
  scarce: { tone: 'warning', word: 'Disk nearly full' },
  full: { tone: 'fault', word: 'Disk full' },
};

function gatewayHop(o: Overview, now: number): Hop {
  const { store, points, gateway } = o;
  const kept = `${counted(points.good + points.uncertain + points.bad, 'point')}, ${formatBytes(store.history_bytes)} of history`;
  const free = typeof store.free_bytes === 'number' ? `, ${formatBytes(store.free_bytes)} free` : '';
  if (store.disk.state === 'failing') {
    return {
      name: 'Gateway',
      state: { tone: 'fault', word: 'Disk fails' },
      text: `Nothing could be stored for ${formatSpan(now - store.disk.since)}: ${store.disk.error}. ${formatCount(store.queued_samples)} samples wait in memory; rules and alarms work on.`,
    };
  }
  if (store.stage !== 'ample') {
    return {
      name: 'Gateway',
      state: STAGES[store.stage],
      text: `${kept}${free}. The alarm about the disk says what to do.`,
    };
  }
  if (store.held_samples > 0 || o.schedules.waiting) {
    const held =
      store.held_samples > 0
        ? `${formatCount(store.held_samples)} samples wait until a time service has set the clock; they are stamped right then. `
        : '';
    const schedules = o.schedules.waiting
      ? `${counted(o.schedules.enabled, 'schedule')} wait${o.schedules.enabled === 1 ? 's' : ''} for the time: nothing is switched until it is known. `
      : '';
    return {
      name: 'Gateway',
      state: { tone: 'warning', word: 'Time not known' },
      text: `${held}${schedules}Values, rules and alarms work on. ${kept}${free}.`,
    };
  }
  if (gateway.clock !== 'synchronised') {
    return {
      name: 'Gateway',
      state: { tone: 'warning', word: 'Clock not confirmed' },
      text: `${kept}${free}. No time source has confirmed the clock; stamps may be wrong.`,
    };
  }
  if (store.dropped_samples > 0) {
    return {
      name: 'Gateway',
      state: { tone: 'warning', word: 'Samples lost' },
      text: `${formatCount(store.dropped_samples)} samples since start, because the disk did not keep up. ${kept}${free}.`,
    };
  }
  return {
    name: 'Gateway',
    state: { tone: 'normal', word: 'Recording' },
    text: `${kept}${free}. Clock synchronised.`,
  };
}

/** Field, gateway, cloud. */
export function hops(o: Overview, now: number): Hop[] {
  const trouble = o.link.last_error && o.link.state !== 'live' ? ` Last error: ${o.link.last_error}.` : '';
  return [
    fieldHop(o),
    gatewayHop(o, now),
    { name: 'Cloud', state: LINK_WORDS[o.link.state], text: linkSentence(o.link, now) + trouble },
  ];
}
