// The gateway's live stream: its address and how points are named on it.
import { LiveFeed } from '@riser/kit';

function address(): string {
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
  return `${scheme}://${location.host}/api/v1/live`;
}

/** One feed for the page; the session cookie speaks for it. */
export function createFeed(): LiveFeed {
  return new LiveFeed({
    url: address,
    dialect: { subscribe: (keys) => ({ subscribe: keys }), keyOf: (path) => path },
  });
}
