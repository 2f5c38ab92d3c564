// How a gateway is doing, and which stands first.
import { expect, test } from 'vitest';
import type { Gateway } from '../src/api/calls';
import { connectionOf, lagOf, worstFirst } from '../src/gateways';

const NOW = 1_800_000_000_000;

const gateway = (id: string, more: Partial<Gateway> = {}): Gateway => ({
  tenant: 'demo',
  id,
  name: id,
  version: '0.1.0',
  connected: true,
  connected_since: NOW - 60_000,
  last_seen: NOW - 500,
  heartbeat_at: NOW - 5000,
  lag_ms: 40,
  backlog_batches: 0,
  backlog_bytes: 0,
  backlog_age_ms: 0,
  lost_samples: 0,
  points: 10,
  alarms_open: 0,
  ...more,
});

test('a connection is called live only with a fresh heartbeat and no backlog', () => {
  expect(connectionOf(gateway('a'), NOW).word).toBe('Live');
  expect(connectionOf(gateway('a', { heartbeat_at: NOW - 120_000 }), NOW).word).toBe('Not confirmed');
  expect(connectionOf(gateway('a', { heartbeat_at: null }), NOW).word).toBe('Not confirmed');
  expect(connectionOf(gateway('a', { backlog_batches: 900 }), NOW).word).toBe('Catching up');
  expect(connectionOf(gateway('a', { connected: false }), NOW).word).toBe('Offline');
  expect(connectionOf(gateway('a', { connected: false, last_seen: null }), NOW).word).toBe('Never connected');
});

test('the worst stands first', () => {
  const all = [
    gateway('well'),
    gateway('alarms', { alarms_open: 3 }),
    gateway('behind', { backlog_batches: 400 }),
    gateway('gone', { connected: false }),
    gateway('mute', { heartbeat_at: NOW - 300_000 }),
  ];
  expect(all.sort(worstFirst(NOW)).map((g) => g.id)).toEqual(['gone', 'mute', 'behind', 'alarms', 'well']);
});

test('a clock that runs ahead is no negative lag, and no lag is no zero', () => {
  expect(lagOf(gateway('a', { lag_ms: -30 }))).toMatch(/^under 1/);
  expect(lagOf(gateway('a', { lag_ms: null }))).toBe('unknown');
});
