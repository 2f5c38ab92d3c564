// The access token of this page: kept in memory only, renewed by the refresh cookie before it ends.
import { problemOf, unreachable } from '@riser/kit';
import type { components } from '../api/schema';

export type Login = components['schemas']['Session'];
export type User = components['schemas']['User'];

/** Renewed when less than this is left. */
const MARGIN_MS = 60_000;
/** Longest wait for a server that does not answer a log-out. */
const LOG_OUT_LIMIT_MS = 4000;

async function post(path: string, body?: unknown, more?: RequestInit): Promise<Login | undefined> {
  const response = await fetch(path, {
    ...more,
    method: 'POST',
    headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  }).catch(() => {
    throw unreachable('The cloud');
  });
  const text = await response.text();
  const parsed: unknown = text ? JSON.parse(text) : undefined;
  if (!response.ok) throw problemOf(response.status, parsed);
  return parsed as Login | undefined;
}

/** A refresh token is good once: pages of one browser take turns. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  // `locks` is missing on a page without TLS that is not on this machine.
  const locks = (navigator as { locks?: LockManager }).locks;
  return locks ? (Promise.resolve(locks.request('riser-refresh', () => work())) as Promise<T>) : work();
}

export class Tokens {
  private current: { token: string; until: number } | null = null;
  private renewing: Promise<Login> | null = null;
  private readonly listeners = new Set<(token: string) => void>();

  /** Opens a session with a password. */
  async logIn(email: string, password: string): Promise<User> {
    return this.take(await post('/api/v1/auth/login', { email, password })).user;
  }

  /** Takes up the session this browser has, if any. */
  async restore(): Promise<User> {
    return (await this.renew()).user;
  }

  /** Ends the session, also when the page is closed meanwhile. */
  async logOut(): Promise<void> {
    this.current = null;
    const more = { keepalive: true, signal: AbortSignal.timeout(LOG_OUT_LIMIT_MS) };
    await inTurn(() => post('/api/v1/auth/logout', undefined, more));
  }

  /** A token that is good for a while; throws when the session has ended. */
  async token(): Promise<string> {
    if (this.current && this.current.until - Date.now() > MARGIN_MS) return this.current.token;
    return (await this.renew()).access_token;
  }

  /** Called with every new token, for connections that outlive one. */
  onRenew(listener: (token: string) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private renew(): Promise<Login> {
    this.renewing ??= inTurn(() => post('/api/v1/auth/refresh'))
      .then((login) => this.take(login))
      .finally(() => {
        this.renewing = null;
      });
    return this.renewing;
  }

  private take(login: Login | undefined): Login {
    if (!login) throw problemOf(502, undefined);
    this.current = { token: login.access_token, until: Date.now() + login.expires_in * 1000 };
    for (const listener of this.listeners) listener(login.access_token);
    return login;
  }
}

export const tokens = new Tokens();
