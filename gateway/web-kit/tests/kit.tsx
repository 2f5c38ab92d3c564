// Drawing parts of the kit in tests: providers, a sample point, a socket that the test drives.
import { render, type RenderResult } from '@testing-library/react';
import type { ReactNode } from 'react';
import { KitProvider } from '../src/theme/KitProvider';
import type { PointView } from '../src/model';
import type { Socket } from '../src/live/feed';

export function draw(node: ReactNode): RenderResult {
  return render(<KitProvider env="test">{node}</KitProvider>);
}

export const SETPOINT: PointView = {
  path: 'ahu-1/supply_setpoint',
  name: 'Supply setpoint',
  device_name: 'AHU-1',
  kind: 'float',
  unit: '°C',
  access: 'read_write',
  limits: { min: 16, max: 24, step: 0.5 },
  stale_after_ms: 30_000,
  slot: 3,
  value: 18,
  quality: { level: 'good' },
  at: 1_700_000_000_000,
};

/** A socket whose other end is the test. */
export class FakeSocket implements Socket {
  static all: FakeSocket[] = [];
  readonly sent: unknown[] = [];
  closed = false;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;

  constructor() {
    FakeSocket.all.push(this);
  }

  static get last(): FakeSocket {
    const socket = FakeSocket.all.at(-1);
    if (!socket) throw new Error('no socket was opened');
    return socket;
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.closed = true;
  }

  say(message: unknown): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}
