// Writing a point: the effect is named first, and what happened is told as it is.
import { act, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { LiveFeed } from '../src/live/feed';
import { LiveProvider } from '../src/live/LiveProvider';
import type { CommandRecord, CommandState, Outcome, PriorityLevel } from '../src/model';
import {
  blockingLevel,
  checkValue,
  effectSentence,
  holdSeconds,
  newId,
  type WriteRequest,
} from '../src/write/request';
import { WriteDialog } from '../src/write/WriteDialog';
import { draw, FakeSocket, SETPOINT } from './kit';

const NOW = new Date(2026, 10, 21, 15, 30).getTime();

describe('a request', () => {
  test('names its effect before it is done', () => {
    const sentence = effectSentence(
      SETPOINT,
      SETPOINT,
      { value: 21, priority: 8, hold: { kind: 'for', seconds: 3600 } },
      NOW,
    );
    expect(sentence.replaceAll('\u202f', ' ')).toBe(
      'AHU-1 Supply setpoint: 18.0 °C → 21.0 °C at priority 8, manual operator, until 16:30.',
    );
  });

  test('says that a value stays when it is the present one', () => {
    const sentence = effectSentence(
      SETPOINT,
      SETPOINT,
      { value: 18, priority: 8, hold: { kind: 'released' } },
      NOW,
    );
    expect(sentence).toMatch(/stays at 18.0.°C, held at priority 8, manual operator, until released\.$/);
  });

  test('holds until midnight at the most when it says today', () => {
    expect(holdSeconds({ kind: 'today' }, NOW)).toBe(8.5 * 3600);
    expect(holdSeconds({ kind: 'released' }, NOW)).toBeNull();
  });

  test('is checked against limits and kind', () => {
    expect(checkValue(SETPOINT, 25)).toMatch(/Not above 24/);
    expect(checkValue(SETPOINT, 15)).toMatch(/Not below 16/);
    expect(checkValue(SETPOINT, 20)).toBeNull();
    expect(checkValue({ ...SETPOINT, kind: 'integer' }, 20.5)).toMatch(/whole/);
    expect(checkValue(SETPOINT, null)).toBe('Give a value.');
  });

  test('knows who stands in its way', () => {
    const level = (n: number): PriorityLevel => ({
      level: n,
      value: 20,
      author: { kind: 'rule', name: 'frost' },
    });
    expect(blockingLevel([level(5), level(3), level(10)], 8)?.level).toBe(3);
    expect(blockingLevel([level(8), level(10)], 8)).toBeNull();
  });

  test('has an identity of its own, a version 4 UUID', () => {
    expect(newId()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(newId()).not.toBe(newId());
  });
});

function recordOf(request: WriteRequest, state: CommandState, more: Partial<Outcome> = {}): CommandRecord {
  return {
    command: {
      id: request.id,
      path: SETPOINT.path,
      value: request.value,
      priority: request.priority,
      issued_at: NOW,
      expires_at: NOW + 30_000,
      author: { kind: 'local', name: 'jonas' },
    },
    outcome: { command: request.id, state, at: NOW, detail: '', ...more },
  };
}

/** Opens the dialog; returns what was sent and a way to be the gateway. */
async function open(send: (request: WriteRequest) => Promise<CommandRecord>, levels: PriorityLevel[] = []) {
  const sent: WriteRequest[] = [];
  const feed = new LiveFeed({
    url: () => 'ws://gateway',
    dialect: { subscribe: (keys) => keys, keyOf: (path) => path },
    socket: () => new FakeSocket(),
  });
  draw(
    <LiveProvider feed={feed}>
      <WriteDialog
        point={SETPOINT}
        reading={SETPOINT}
        levels={levels}
        opened
        onClose={() => undefined}
        send={(request) => {
          sent.push(request);
          return send(request);
        }}
        ask={() => new Promise(() => undefined)}
      />
    </LiveProvider>,
  );
  await act(async () => {
    FakeSocket.last.onopen?.();
    await Promise.resolve();
  });
  const tell = (record: CommandRecord) =>
    act(() => FakeSocket.last.say({ type: 'command', command: record }));
  return { sent, tell };
}

async function raiseAndWrite(): Promise<void> {
  await userEvent.click(screen.getByRole('button', { name: /^Raise by/ }));
  await userEvent.click(screen.getByRole('button', { name: /^Write 18.5/ }));
}

describe('the dialog', () => {
  beforeEach(() => {
    FakeSocket.all = [];
  });

  test('follows a write from requested to applied', async () => {
    const { sent, tell } = await open((request) => Promise.resolve(recordOf(request, 'requested')));
    await raiseAndWrite();
    const request = sent[0] as WriteRequest;
    expect(request).toMatchObject({ value: 18.5, priority: 8, hold_seconds: 3600 });
    expect(await screen.findByText('Requested')).toBeTruthy();
    tell(recordOf(request, 'sent'));
    expect(screen.getByText(/Waiting for what the device reports/)).toBeTruthy();
    tell(recordOf(request, 'applied', { read_back: 18.5 }));
    expect(screen.getByText('Applied')).toBeTruthy();
    expect(screen.getByText(/The device reports 18.5/)).toBeTruthy();
    expect(screen.getByRole('button', { name: /Undo: release priority 8/ })).toBeTruthy();
  });

  test('a late "sent" does not undo an outcome, and other commands do not touch this one', async () => {
    const { sent, tell } = await open((request) => Promise.resolve(recordOf(request, 'requested')));
    await raiseAndWrite();
    await screen.findByText('Requested');
    const request = sent[0] as WriteRequest;
    tell(recordOf({ ...request, id: newId() }, 'failed'));
    expect(screen.queryByText('Failed')).toBeNull();
    tell(recordOf(request, 'applied', { read_back: 18.5 }));
    tell(recordOf(request, 'sent'));
    expect(screen.getByText('Applied')).toBeTruthy();
  });

  test('says who holds the point when a write has no effect', async () => {
    const { sent, tell } = await open((request) => Promise.resolve(recordOf(request, 'requested')));
    await raiseAndWrite();
    await screen.findByText('Requested');
    tell(
      recordOf(sent[0] as WriteRequest, 'accepted_not_effective', {
        held_by: { priority: 5, author: { kind: 'rule', name: 'frost-guard' } },
        read_back: 16,
      }),
    );
    expect(screen.getByText('Accepted, not effective')).toBeTruthy();
    expect(screen.getByText(/rule frost-guard holds the point/)).toBeTruthy();
  });

  test.each([
    ['refused', 'Refused', /the device answered with exception 3/],
    ['expired', 'Expired', /before it could be begun/],
    ['failed', 'Failed', /Not known to have worked/],
  ] as const)('tells %s with its reason', async (state, word, why) => {
    const { sent, tell } = await open((request) => Promise.resolve(recordOf(request, 'requested')));
    await raiseAndWrite();
    await screen.findByText('Requested');
    tell(recordOf(sent[0] as WriteRequest, state, { detail: 'the device answered with exception 3' }));
    expect(screen.getByText(word)).toBeTruthy();
    expect(screen.getByText(why)).toBeTruthy();
    expect(screen.queryByRole('button', { name: /Undo/ })).toBeNull();
  });

  test('sends again under the same id when no answer came', async () => {
    const answers = [() => Promise.reject(new Error('The gateway does not answer.'))];
    const { sent } = await open(
      (request) => answers.pop()?.() ?? Promise.resolve(recordOf(request, 'requested')),
    );
    await raiseAndWrite();
    expect(await screen.findByText('The gateway does not answer.')).toBeTruthy();
    await userEvent.click(screen.getByRole('button', { name: 'Send again' }));
    expect(await screen.findByText('Requested')).toBeTruthy();
    expect(sent).toHaveLength(2);
    expect(sent[1]?.id).toBe(sent[0]?.id);
  });

  test('warns of a higher level before writing, and offers to release a held one', async () => {
    const { sent } = await open(
      (request) => Promise.resolve(recordOf(request, 'requested')),
      [
        { level: 5, value: 16, author: { kind: 'rule', name: 'frost-guard' } },
        { level: 8, value: 18, author: { kind: 'local', name: 'jonas' } },
      ],
    );
    expect(screen.getByText(/It will wait: rule frost-guard holds 16.0.°C at priority 5/)).toBeTruthy();
    await userEvent.click(screen.getByRole('button', { name: 'Release priority 8' }));
    expect(sent[0]).toMatchObject({ value: null, priority: 8, hold_seconds: null });
  });

  test('does not send a value beyond the limits', async () => {
    const send = vi.fn((request: WriteRequest) => Promise.resolve(recordOf(request, 'requested')));
    await open(send);
    const field = screen.getByLabelText('New value');
    await userEvent.clear(field);
    await userEvent.type(field, '31{Enter}');
    expect(screen.getByText(/Not above 24/)).toBeTruthy();
    expect(send).not.toHaveBeenCalled();
  });
});
