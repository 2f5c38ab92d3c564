// The stretch of time a trend shows: the last so long, or from–to. Owns its text in a URL.

export type TrendRange = { kind: 'last'; ms: number } | { kind: 'fixed'; from: number; to: number };

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const CHOICES: readonly { key: string; label: string; ms: number }[] = [
  { key: '15m', label: '15 min', ms: 15 * MINUTE },
  { key: '1h', label: '1 h', ms: HOUR },
  { key: '6h', label: '6 h', ms: 6 * HOUR },
  { key: '24h', label: '24 h', ms: DAY },
  { key: '7d', label: '7 d', ms: 7 * DAY },
];

const DEFAULT: TrendRange = { kind: 'last', ms: HOUR };
/** Zooming in further shows nothing more. */
export const SHORTEST_MS = 10_000;

/** Reads `range=6h` or `from=…&to=…`; anything else is the last hour. */
export function parseRange(search: URLSearchParams): TrendRange {
  const from = Number(search.get('from') ?? Number.NaN);
  const to = Number(search.get('to') ?? Number.NaN);
  if (Number.isFinite(from) && Number.isFinite(to) && to - from >= SHORTEST_MS)
    return { kind: 'fixed', from, to };
  const choice = CHOICES.find((c) => c.key === search.get('range'));
  return choice ? { kind: 'last', ms: choice.ms } : DEFAULT;
}

/** The URL parameters of a range; those not needed are null. */
export function rangeParams(range: TrendRange): {
  range: string | null;
  from: string | null;
  to: string | null;
} {
  if (range.kind === 'fixed') {
    return { range: null, from: String(Math.round(range.from)), to: String(Math.round(range.to)) };
  }
  return { range: CHOICES.find((c) => c.ms === range.ms)?.key ?? '1h', from: null, to: null };
}

/** The range in milliseconds; `last` ends now, on a whole second so that it changes calmly. */
export function resolveRange(range: TrendRange, now: number): { from: number; to: number } {
  if (range.kind === 'fixed') return { from: range.from, to: range.to };
  return { from: now - range.ms, to: now };
}

/** The same stretch made longer or shorter around one instant. */
export function zoomed(
  span: { from: number; to: number },
  factor: number,
  around = (span.from + span.to) / 2,
): TrendRange {
  const from = around - (around - span.from) * factor;
  const to = around + (span.to - around) * factor;
  if (to - from >= SHORTEST_MS) return { kind: 'fixed', from, to };
  return { kind: 'fixed', from: around - SHORTEST_MS / 2, to: around + SHORTEST_MS / 2 };
}

/** The same length, earlier or later by a part of it. */
export function shifted(span: { from: number; to: number }, part: number, now: number): TrendRange {
  const by = (span.to - span.from) * part;
  const to = Math.min(span.to + by, now);
  return { kind: 'fixed', from: to - (span.to - span.from), to };
}
