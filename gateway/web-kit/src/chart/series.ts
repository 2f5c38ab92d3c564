// From a trend to the columns a chart draws: gaps as nulls, steps for states.
import type { Point, Trend } from '../model';

/** What drawing needs to know of the point. */
export type TrendPoint = Pick<Point, 'kind' | 'unit' | 'limits' | 'labels' | 'stale_after_ms' | 'deadband'>;

/** x in ms, smallest, largest, line. */
export type Columns = [number[], (number | null)[], (number | null)[], (number | null)[]];

/** With report-on-change a quiet value is not a gap; the gateway repeats it at least this often. */
const QUIET_MS = 15 * 60_000;

export function isDiscrete(point: TrendPoint): boolean {
  return point.kind === 'bool' || point.kind === 'enum';
}

/** The longest silence that is still drawn through. */
export function gapAfter(trend: Trend, point: TrendPoint): number {
  const patience = point.deadband ? Math.max(QUIET_MS, point.stale_after_ms) : point.stale_after_ms;
  return Math.max(trend.bucket_ms * 1.75, patience + trend.bucket_ms);
}

/** Columns for the chart. `tip` is the live value, drawn after the last bucket. */
export function columnsOf(trend: Trend, point: TrendPoint, tip?: { at: number; value: number }): Columns {
  const gap = gapAfter(trend, point);
  const discrete = isDiscrete(point);
  const columns: Columns = [[], [], [], []];
  const push = (at: number, low: number | null, high: number | null, line: number | null) => {
    columns[0].push(at);
    columns[1].push(low);
    columns[2].push(high);
    columns[3].push(line);
  };
  let previous: number | null = null;
  for (const b of trend.buckets) {
    // One sample in the first bucket may lie before the range; it is drawn where the range begins.
    const at = b.at + trend.bucket_ms / 2;
    if (previous !== null && at - previous > gap) push(previous + 1, null, null, null);
    push(at, discrete ? null : b.min, discrete ? null : b.max, discrete ? b.last : b.mean);
    previous = at;
  }
  if (tip && (previous === null || (tip.at > previous && tip.at - previous <= gap))) {
    push(tip.at, discrete ? null : tip.value, discrete ? null : tip.value, tip.value);
  }
  return columns;
}

/** The y axis: the values with air around, never so narrow that noise looks like movement. */
export function verticalRange(columns: Columns, point: TrendPoint): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < columns[0].length; i += 1) {
    const bottom = columns[1][i] ?? columns[3][i];
    const top = columns[2][i] ?? columns[3][i];
    if (bottom !== null && bottom !== undefined && bottom < low) low = bottom;
    if (top !== null && top !== undefined && top > high) high = top;
  }
  if (isDiscrete(point)) {
    const states = (point.labels ?? []).map((l) => l.state);
    const floor = Math.min(...states, Number.isFinite(low) ? low : 0);
    const ceiling = Math.max(...states, Number.isFinite(high) ? high : 1);
    return [floor - 0.4, ceiling + 0.4];
  }
  if (!Number.isFinite(low)) return [point.limits?.min ?? 0, point.limits?.max ?? 1];
  const least = (point.limits?.step ?? 0.1) * 8;
  const span = Math.max(high - low, least);
  const middle = (high + low) / 2;
  return [middle - span * 0.58, middle + span * 0.58];
}
