// The page's one live connection: a WebSocket that carries every watched point. Owns reconnecting,
// the subscribed set and batching per frame; knows nothing of React.
import { parseLive, type LiveDialect, type LiveMessages, type LiveReading } from './protocol';

/** `closed` by us; `lost` means a new attempt is due. */
export type FeedState = 'closed' | 'connecting' | 'open' | 'lost';

export interface FeedStatus {
  state: FeedState;
  since: number;
}

/** The part of a WebSocket the feed uses, so tests can give their own. */
export interface Socket {
  send: (text: string) => void;
  close: () => void;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: (() => void) | null;
}

export interface FeedOptions {
  url: () => string;
  dialect: LiveDialect;
  socket?: (url: string) => Socket;
  /** Runs a flush once per drawn frame. */
  frame?: (flush: () => void) => void;
  now?: () => number;
  random?: () => number;
}

type Topic = Exclude<keyof LiveMessages, 'values'>;

/** The server takes at most this many points at once. */
export const MAX_WATCHED = 500;
const RETRY_FLOOR_MS = 500;
const RETRY_CAP_MS = 15_000;
const SUBSCRIBE_DELAY_MS = 40;
/** A connection that held this long was one. */
const STEADY_MS = 3000;

function onFrame(flush: () => void): void {
  if (document.hidden) setTimeout(flush, 1000);
  else requestAnimationFrame(flush);
}

export class LiveFeed {
  private socket: Socket | null = null;
  private status: FeedStatus;
  private readonly watchers = new Map<string, Set<() => void>>();
  private readonly readings = new Map<string, LiveReading>();
  private pending = new Map<string, LiveReading>();
  private readonly topics = new Map<Topic, Set<(body: never) => void>>();
  private readonly statusListeners = new Set<() => void>();
  private flushDue = false;
  private openedAt = 0;
  private outageSince: number | null = null;
  private subscribeTimer: ReturnType<typeof setTimeout> | undefined;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private retryMs = RETRY_FLOOR_MS;
  private readonly now: () => number;
  private readonly random: () => number;

  constructor(private readonly options: FeedOptions) {
    this.now = options.now ?? Date.now;
    this.random = options.random ?? Math.random;
    this.status = { state: 'closed', since: this.now() };
  }

  /** Connects, and keeps connecting until `stop`. */
  start(): void {
    if (this.status.state === 'closed') this.connect();
  }

  stop(): void {
    clearTimeout(this.retryTimer);
    clearTimeout(this.subscribeTimer);
    this.drop();
    this.set('closed');
  }

  /** Tries at once instead of waiting, for when the network or the page came back. */
  nudge(): void {
    if (this.status.state !== 'lost') return;
    clearTimeout(this.retryTimer);
    this.connect();
  }

  /** Says something on the open connection, such as a renewed token; silently nothing while there is none. */
  say(message: unknown): void {
    if (this.status.state === 'open') this.socket?.send(JSON.stringify(message));
  }

  getStatus = (): FeedStatus => this.status;

  onStatus = (listener: () => void): (() => void) => {
    this.statusListeners.add(listener);
    return () => this.statusListeners.delete(listener);
  };

  /** Asks for a point; the listener is called after a frame that changed it. */
  watch(key: string, listener: () => void): () => void {
    const set = this.watchers.get(key) ?? new Set();
    set.add(listener);
    if (!this.watchers.has(key)) {
      this.watchers.set(key, set);
      this.subscribeSoon();
    }
    return () => {
      set.delete(listener);
      if (set.size > 0) return;
      this.watchers.delete(key);
      this.readings.delete(key);
      this.pending.delete(key);
      this.subscribeSoon();
    };
  }

  reading(key: string): LiveReading | undefined {
    return this.readings.get(key);
  }

  on<K extends Topic>(topic: K, listener: (body: LiveMessages[K]) => void): () => void {
    const set = this.topics.get(topic) ?? new Set();
    this.topics.set(topic, set);
    set.add(listener as (body: never) => void);
    return () => set.delete(listener as (body: never) => void);
  }

  private connect(): void {
    this.set('connecting');
    const open = this.options.socket ?? ((url: string) => new WebSocket(url) as Socket);
    const socket = open(this.options.url());
    this.socket = socket;
    socket.onopen = () => void this.greet(socket);
    socket.onmessage = (event) => this.receive(socket, event.data);
    socket.onclose = () => this.lost(socket);
  }

  private async greet(socket: Socket): Promise<void> {
    try {
      const greeting = await this.options.dialect.greet?.();
      if (this.socket !== socket) return;
      if (greeting !== undefined) socket.send(JSON.stringify(greeting));
      this.set('open');
      this.subscribe();
    } catch {
      this.lost(socket);
    }
  }

  private receive(socket: Socket, text: unknown): void {
    if (this.socket !== socket || typeof text !== 'string') return;
    const message = parseLive(text, this.options.dialect);
    if (!message) return;
    this.retryMs = RETRY_FLOOR_MS;
    if (message.type !== 'values') {
      const listeners = this.topics.get(message.type) as Set<(body: unknown) => void> | undefined;
      listeners?.forEach((listener) => listener(message.body));
      return;
    }
    for (const { key, reading } of message.body) {
      if (this.watchers.has(key)) this.pending.set(key, reading);
    }
    this.flushSoon();
  }

  private flushSoon(): void {
    if (this.flushDue || this.pending.size === 0) return;
    this.flushDue = true;
    (this.options.frame ?? onFrame)(() => {
      this.flushDue = false;
      const changed = this.pending;
      this.pending = new Map();
      for (const [key, reading] of changed) {
        if (this.watchers.has(key)) this.readings.set(key, reading);
      }
      for (const key of changed.keys()) this.watchers.get(key)?.forEach((listener) => listener());
    });
  }

  private lost(socket: Socket): void {
    if (this.socket !== socket) return;
    this.drop();
    this.set('lost');
    // Decorrelated jitter: many pages must not come back in step.
    this.retryMs = Math.min(
      RETRY_CAP_MS,
      RETRY_FLOOR_MS + this.random() * (this.retryMs * 3 - RETRY_FLOOR_MS),
    );
    this.retryTimer = setTimeout(() => this.connect(), this.retryMs);
  }

  private drop(): void {
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  private subscribeSoon(): void {
    clearTimeout(this.subscribeTimer);
    this.subscribeTimer = setTimeout(() => this.subscribe(), SUBSCRIBE_DELAY_MS);
  }

  private subscribe(): void {
    if (this.status.state !== 'open' || !this.socket) return;
    // The newest are what is on screen now; a set beyond the server's limit loses its oldest.
    const keys = [...this.watchers.keys()].slice(-MAX_WATCHED);
    this.socket.send(JSON.stringify(this.options.dialect.subscribe(keys)));
  }

  private set(state: FeedState): void {
    const now = this.now();
    if (state === 'open') {
      this.openedAt = now;
      this.status = { state, since: now };
    } else {
      // Attempts in a row are one outage, also when a connection opens and falls at once.
      const steady = this.status.state === 'open' && now - this.openedAt >= STEADY_MS;
      if (steady || this.outageSince === null) this.outageSince = now;
      this.status = { state, since: this.outageSince };
    }
    this.statusListeners.forEach((listener) => listener());
  }
}
