// The live stream for React: one feed per page, hooks that redraw only what changed.
import {
  createContext,
  useCallback,
  useContext,
  useEffect,
  useRef,
  useSyncExternalStore,
  type ReactNode,
} from 'react';
import type { Reading } from '../model';
import type { FeedStatus, LiveFeed } from './feed';
import type { LiveMessages, LiveReading } from './protocol';

const FeedContext = createContext<LiveFeed | null>(null);

/** Starts the feed while mounted and wakes it when the network or the page comes back. */
export function LiveProvider({ feed, children }: { feed: LiveFeed; children: ReactNode }) {
  useEffect(() => {
    const nudge = () => {
      if (!document.hidden) feed.nudge();
    };
    feed.start();
    window.addEventListener('online', nudge);
    document.addEventListener('visibilitychange', nudge);
    return () => {
      window.removeEventListener('online', nudge);
      document.removeEventListener('visibilitychange', nudge);
      feed.stop();
    };
  }, [feed]);
  return <FeedContext.Provider value={feed}>{children}</FeedContext.Provider>;
}

/** The newest pushed reading of a point, watched while the caller is on screen. */
export function useLiveReading(key: string): LiveReading | undefined {
  const feed = useContext(FeedContext);
  const subscribe = useCallback(
    (listener: () => void) => feed?.watch(key, listener) ?? (() => undefined),
    [feed, key],
  );
  return useSyncExternalStore(subscribe, () => feed?.reading(key));
}

/** What was fetched, or what was pushed since, whichever is newer. */
export function newest(fetched: Reading, pushed: LiveReading | undefined): Reading {
  if (!pushed) return fetched;
  if ((pushed.at ?? 0) < (fetched.at ?? 0)) return fetched;
  return pushed;
}

const CLOSED: FeedStatus = { state: 'closed', since: 0 };
const NEVER = () => () => undefined;

export function useFeedStatus(): FeedStatus {
  const feed = useContext(FeedContext);
  return useSyncExternalStore(feed?.onStatus ?? NEVER, () => feed?.getStatus() ?? CLOSED);
}

/** Calls back on every message of a topic while mounted. */
export function useLiveTopic<K extends Exclude<keyof LiveMessages, 'values'>>(
  topic: K,
  listener: (body: LiveMessages[K]) => void,
): void {
  const feed = useContext(FeedContext);
  const latest = useRef(listener);
  useEffect(() => {
    latest.current = listener;
  });
  useEffect(() => feed?.on(topic, (body) => latest.current(body)), [feed, topic]);
}
