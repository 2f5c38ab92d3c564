// The access token: renewed in time, once for everybody who asks, and never after log-out.
import { beforeEach, expect, test, vi } from 'vitest';
import { Tokens } from '../src/session/tokens';

const calls: string[] = [];
let expiresIn = 900;
let status = 200;

beforeEach(() => {
  calls.length = 0;
  expiresIn = 900;
  status = 200;
  vi.stubGlobal('fetch', (path: string) => {
    calls.push(path);
    const body =
      status === 200
        ? {
            access_token: `token-${calls.length}`,
            expires_in: expiresIn,
            user: { id: '1', email: 'a@b', name: 'A', role: 'viewer' },
          }
        : { error: { code: 'unauthorised', message: 'The session has ended.' } };
    return Promise.resolve(new Response(JSON.stringify(body), { status }));
  });
});

test('a good token is used again', async () => {
  const tokens = new Tokens();
  await tokens.logIn('a@b', 'secret');
  expect(await tokens.token()).toBe('token-1');
  expect(await tokens.token()).toBe('token-1');
  expect(calls).toEqual(['/api/v1/auth/login']);
});

test('a token about to end is renewed once for all who ask', async () => {
  const tokens = new Tokens();
  expiresIn = 30;
  await tokens.logIn('a@b', 'secret');
  expiresIn = 900;
  const told: string[] = [];
  tokens.onRenew((token) => told.push(token));
  const given = await Promise.all([tokens.token(), tokens.token(), tokens.token()]);
  expect(new Set(given)).toEqual(new Set(['token-2']));
  expect(told).toEqual(['token-2']);
  expect(calls).toEqual(['/api/v1/auth/login', '/api/v1/auth/refresh']);
});

test('an ended session is told as such, with its status', async () => {
  status = 401;
  await expect(new Tokens().restore()).rejects.toMatchObject({
    status: 401,
    message: 'The session has ended.',
  });
});

test('after log-out nothing of it is left', async () => {
  const tokens = new Tokens();
  await tokens.logIn('a@b', 'secret');
  await tokens.logOut();
  status = 401;
  await expect(tokens.token()).rejects.toMatchObject({ status: 401 });
});
