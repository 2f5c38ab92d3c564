// The live connection: what it asks for, what it passes on, and how it comes back.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LiveFeed, MAX_WATCHED } from '../src/live/feed';
import { FakeSocket } from './kit';

let frames: (() => void)[] = [];
const drawFrame = () => frames.splice(0).forEach((flush) => flush());

function start(greet?: () => Promise<unknown>): LiveFeed {
  const feed = new LiveFeed({
    url: () => 'ws://gateway/api/v1/live',
    dialect: { greet, subscribe: (keys) => ({ subscribe: keys }), keyOf: (path) => path },
    socket: () => new FakeSocket(),
    frame: (flush) => frames.push(flush),
    random: () => 0.5,
  });
  feed.start();
  return feed;
}

async function open(): Promise<void> {
  FakeSocket.last.onopen?.();
  await vi.advanceTimersByTimeAsync(0);
}

const value = (path: string, x: number) => ({ path, value: x, quality: { level: 'good' }, at: 1000 + x });

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.all = [];
  frames = [];
});
afterEach(() => vi.useRealTimers());

test('asks for the whole set once, after the scroll has settled', async () => {
  const feed = start();
  await open();
  feed.watch('a/x', () => undefined);
  feed.watch('a/y', () => undefined);
  const leave = feed.watch('a/z', () => undefined);
  leave();
  await vi.advanceTimersByTimeAsync(100);
  expect(FakeSocket.last.sent).toEqual([{ subscribe: [] }, { subscribe: ['a/x', 'a/y'] }]);
});

test('a point watched twice is asked for until the last watcher leaves', async () => {
  const feed = start();
  await open();
  const first = feed.watch('a/x', () => undefined);
  const second = feed.watch('a/x', () => undefined);
  first();
  await vi.advanceTimersByTimeAsync(100);
  expect(FakeSocket.last.sent.at(-1)).toEqual({ subscribe: ['a/x'] });
  second();
  await vi.advanceTimersByTimeAsync(100);
  expect(FakeSocket.last.sent.at(-1)).toEqual({ subscribe: [] });
});

test('never asks for more than the server takes, and prefers the newest', async () => {
  const feed = start();
  for (let i = 0; i <= MAX_WATCHED; i += 1) feed.watch(`a/${i}`, () => undefined);
  await open();
  const { subscribe } = FakeSocket.last.sent.at(-1) as { subscribe: string[] };
  expect(subscribe).toHaveLength(MAX_WATCHED);
  expect(subscribe).not.toContain('a/0');
});

test('many values of one frame call a listener once, with the newest', async () => {
  const feed = start();
  const listener = vi.fn();
  const other = vi.fn();
  feed.watch('a/x', listener);
  feed.watch('a/y', other);
  await open();
  FakeSocket.last.say({ type: 'values', values: [value('a/x', 1), value('a/x', 2), value('b/unasked', 9)] });
  FakeSocket.last.say({ type: 'values', values: [value('a/x', 3)] });
  expect(listener).not.toHaveBeenCalled();
  drawFrame();
  expect(listener).toHaveBeenCalledOnce();
  expect(other).not.toHaveBeenCalled();
  expect(feed.reading('a/x')?.value).toBe(3);
  expect(feed.reading('b/unasked')).toBeUndefined();
});

test('alarms, commands and the link reach their listeners; the unknown is skipped', async () => {
  const feed = start();
  const alarm = vi.fn();
  feed.on('alarm', alarm);
  await open();
  FakeSocket.last.onmessage?.({ data: 'not json' });
  FakeSocket.last.say({ type: 'of a later version' });
  FakeSocket.last.say({ type: 'alarm', gateway: 'gw-001', alarm: { id: '1' } });
  expect(alarm).toHaveBeenCalledExactlyOnceWith({ alarm: { id: '1' }, gateway: 'gw-001' });
});

test('comes back with growing waits and asks for its set again', async () => {
  const feed = start();
  feed.watch('a/x', () => undefined);
  await open();
  FakeSocket.last.onclose?.();
  expect(feed.getStatus().state).toBe('lost');
  const since = feed.getStatus().since;

  await vi.advanceTimersByTimeAsync(1000);
  expect(FakeSocket.all).toHaveLength(2);
  FakeSocket.last.onclose?.();
  await vi.advanceTimersByTimeAsync(1000);
  expect(FakeSocket.all).toHaveLength(2);
  expect(feed.getStatus().since).toBe(since);

  await vi.advanceTimersByTimeAsync(2000);
  await open();
  expect(feed.getStatus().state).toBe('open');
  expect(FakeSocket.last.sent).toEqual([{ subscribe: ['a/x'] }]);
});

test('a connection that opens and falls at once does not end an outage', async () => {
  const feed = start();
  await open();
  await vi.advanceTimersByTimeAsync(10_000);
  FakeSocket.last.onclose?.();
  const { since } = feed.getStatus();
  await vi.advanceTimersByTimeAsync(1000);
  await open();
  FakeSocket.last.onclose?.();
  expect(feed.getStatus()).toEqual({ state: 'lost', since });

  await vi.advanceTimersByTimeAsync(2000);
  await open();
  await vi.advanceTimersByTimeAsync(10_000);
  FakeSocket.last.onclose?.();
  expect(feed.getStatus().since).toBeGreaterThan(since);
});

test('a nudge does not wait', async () => {
  const feed = start();
  await open();
  FakeSocket.last.onclose?.();
  feed.nudge();
  expect(FakeSocket.all).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(5000);
  expect(FakeSocket.all).toHaveLength(2);
});

test('greets before it asks, and counts as lost when it may not', async () => {
  start(() => Promise.resolve({ token: 'one' }));
  await open();
  expect(FakeSocket.last.sent).toEqual([{ token: 'one' }, { subscribe: [] }]);

  FakeSocket.all = [];
  const refused = start(() => Promise.reject(new Error('session ended')));
  await open();
  expect(refused.getStatus().state).toBe('lost');
});

test('stopped means stopped', async () => {
  const feed = start();
  await open();
  feed.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(FakeSocket.all).toHaveLength(1);
  expect(FakeSocket.last.closed).toBe(true);
});
