// The cloud's live stream: opened with a token, renewed with every new one; points are named by gateway.
import { LiveFeed } from '@riser/kit';
import { scopedTenant } from '../session/scope';
import { tokens } from '../session/tokens';

/** The key of a point on the stream; neither part can contain a colon. */
export function liveKeyOf(gateway: string, path: string): string {
  return `${gateway}:${path}`;
}

function named(key: string): { gateway: string; path: string } {
  const colon = key.indexOf(':');
  return { gateway: key.slice(0, colon), path: key.slice(colon + 1) };
}

function address(): string {
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
  return `${scheme}://${location.host}/api/v1/live`;
}

export function createFeed(): LiveFeed {
  const feed = new LiveFeed({
    url: address,
    dialect: {
      greet: async () => ({ token: await tokens.token(), tenant: scopedTenant() }),
      subscribe: (keys) => ({ subscribe: keys.map(named) }),
      keyOf: (path, gateway) => liveKeyOf(gateway ?? '', path),
    },
  });
  tokens.onRenew((token) => feed.say({ token, tenant: scopedTenant() }));
  return feed;
}
