// What a live stream says, whichever face it comes from. Parsing is total: what is not understood is skipped.
import type { Alarm, CommandRecord, LinkStatus, PointValue, Quality } from '../model';

/** One observation of one point as pushed by the server. */
export interface LiveReading {
  value?: PointValue | null;
  quality: Quality;
  at?: number | null;
}

export interface LiveMessages {
  values: { key: string; reading: LiveReading }[];
  alarm: { alarm: Alarm; gateway?: string };
  command: { command: CommandRecord; gateway?: string };
  link: LinkStatus;
  gateway: unknown;
  dropped: number;
}

export type LiveMessage = {
  [K in keyof LiveMessages]: { type: K; body: LiveMessages[K] };
}[keyof LiveMessages];

/** How points are named on the stream: by path on a gateway, by gateway and path in the cloud. */
export interface LiveDialect {
  /** First thing said on a new connection, such as a token; none where the cookie speaks. */
  greet?: () => Promise<unknown>;
  /** The whole wanted set, replacing the last one. */
  subscribe: (keys: string[]) => unknown;
  /** The key of a pushed value. */
  keyOf: (path: string, gateway: string | undefined) => string;
}

interface Raw {
  type?: string;
  gateway?: unknown;
  values?: {
    path?: string;
    gateway?: string;
    value?: PointValue | null;
    quality?: Quality;
    at?: number | null;
  }[];
  alarm?: Alarm;
  command?: CommandRecord;
  link?: LinkStatus;
  count?: number;
}

function parseJson(text: string): Raw | null {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? parsed : null;
  } catch {
    return null;
  }
}

/** One frame of the stream, or null when this version does not know it. */
export function parseLive(text: string, dialect: LiveDialect): LiveMessage | null {
  const raw = parseJson(text);
  if (!raw) return null;
  const gateway = typeof raw.gateway === 'string' ? raw.gateway : undefined;
  switch (raw.type) {
    case 'values': {
      const body = (raw.values ?? []).flatMap((v) =>
        v.path && v.quality
          ? [
              {
                key: dialect.keyOf(v.path, v.gateway ?? gateway),
                reading: { value: v.value, quality: v.quality, at: v.at },
              },
            ]
          : [],
      );
      return { type: 'values', body };
    }
    case 'alarm':
      return raw.alarm ? { type: 'alarm', body: { alarm: raw.alarm, gateway } } : null;
    case 'command':
      return raw.command ? { type: 'command', body: { command: raw.command, gateway } } : null;
    case 'link':
      return raw.link ? { type: 'link', body: raw.link } : null;
    case 'gateway':
      return { type: 'gateway', body: raw.gateway };
    case 'dropped':
      return { type: 'dropped', body: raw.count ?? 0 };
    default:
      return null;
  }
}
