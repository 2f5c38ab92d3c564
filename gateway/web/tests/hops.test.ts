// The way of a value in words, worst news first.
import { expect, test } from 'vitest';
import type { Overview } from '../src/api/calls';
import { hops } from '../src/pages/hops';

const NOW = 1_800_000_000_000;

const overview = (more: Partial<Overview> = {}): Overview => ({
  gateway: {
    id: 'gw-001',
    name: 'Harbour House',
    tenant: 'demo',
    version: '0.1.0',
    started_at: NOW - 1000,
    now: NOW,
    clock: 'synchronised',
  },
  link: {
    state: 'live',
    since: NOW - 60_000,
    url: 'mqtts://cloud.example:8883',
    last_heartbeat: NOW - 3000,
    round_trip_ms: 84,
    backlog_batches: 0,
    backlog_bytes: 0,
    backlog_age_ms: 0,
    bytes_sent: 0,
    samples_sent: 0,
    connects: 1,
    quarantined: 0,
  },
  alarms: { critical: 0, high: 0, medium: 0, low: 0, unacknowledged: 0 },
  devices: { online: 5, degraded: 0, offline: 0, unknown: 0 },
  points: { good: 40, uncertain: 0, bad: 0 },
  schedules: { enabled: 0, waiting: false },
  store: {
    disk: { state: 'ok' },
    history_files: 2,
    history_bytes: 4_000_000,
    committed_samples: 9,
    queued_samples: 0,
    dropped_samples: 0,
    held_samples: 0,
    stage: 'ample',
  },
  adapters: [{ name: 'modbus', kind: 'modbus', state: 'running', since: NOW, restarts: 0, points: 40 }],
  ...more,
});

const words = (o: Overview) => hops(o, NOW).map((h) => h.state.word);

test('all well is said quietly', () => {
  expect(words(overview())).toEqual(['Answers', 'Recording', 'Live']);
  expect(hops(overview(), NOW).every((h) => h.state.tone === 'normal')).toBe(true);
});

test('a silent device degrades the field, all silent is a fault', () => {
  expect(words(overview({ devices: { online: 4, degraded: 0, offline: 1, unknown: 0 } }))[0]).toBe(
    'Degraded',
  );
  expect(words(overview({ devices: { online: 0, degraded: 0, offline: 5, unknown: 0 } }))[0]).toBe('Silent');
});

test('a quarantined adapter is named with its error', () => {
  const adapters = [
    {
      name: 'modbus',
      kind: 'modbus',
      state: 'quarantined' as const,
      since: NOW,
      restarts: 5,
      points: 0,
      last_error: 'port is taken',
    },
  ];
  const [field] = hops(overview({ adapters }), NOW);
  expect(field?.state.word).toBe('Adapter stopped');
  expect(field?.text).toMatch(/modbus is quarantined: port is taken/);
});

test('a failing disk comes before everything else on the gateway', () => {
  const store = {
    ...overview().store,
    disk: { state: 'failing' as const, since: NOW - 90_000, error: 'no space left' },
    queued_samples: 1200,
  };
  const gateway = hops(overview({ store }), NOW)[1];
  expect(gateway?.state).toEqual({ tone: 'fault', word: 'Disk fails' });
  expect(gateway?.text).toMatch(/no space left/);
});

test('a disk that fills says how far it is', () => {
  const of = (stage: 'low' | 'scarce' | 'full') =>
    hops(overview({ store: { ...overview().store, stage } }), NOW)[1]?.state;
  expect(of('low')).toEqual({ tone: 'warning', word: 'Disk fills' });
  expect(of('scarce')).toEqual({ tone: 'warning', word: 'Disk nearly full' });
  expect(of('full')).toEqual({ tone: 'fault', word: 'Disk full' });
});

test('samples that wait for the time are said to wait', () => {
  const store = { ...overview().store, held_samples: 36_000 };
  const gateway = hops(overview({ store }), NOW)[1];
  expect(gateway?.state.word).toBe('Time not known');
  expect(gateway?.text).toMatch(/36.000 samples wait/);
  expect(gateway?.text).not.toMatch(/schedule/);
});

test('schedules that stand still until the time is known are said to wait', () => {
  const of = (enabled: number) => hops(overview({ schedules: { enabled, waiting: true } }), NOW)[1];
  expect(of(3)?.state).toEqual({ tone: 'warning', word: 'Time not known' });
  expect(of(3)?.text).toMatch(/^3 schedules wait for the time: nothing is switched until it is known\./);
  expect(of(1)?.text).toMatch(/^1 schedule waits for the time/);
});

test('the link says what waits while there is no connection', () => {
  const link = {
    ...overview().link,
    state: 'offline' as const,
    backlog_batches: 342,
    backlog_bytes: 912_000,
    backlog_age_ms: 240_000,
  };
  expect(hops(overview({ link }), NOW)[2]?.text).toMatch(/342 batches \(912.kB\) wait here/);
});
