// Ranges in URLs and the columns of a chart.
import { describe, expect, test } from 'vitest';
import { parseRange, rangeParams, SHORTEST_MS, shifted, zoomed } from '../src/chart/range';
import { columnsOf, verticalRange } from '../src/chart/series';
import type { Bucket, Trend } from '../src/model';
import { SETPOINT } from './kit';

const bucket = (at: number, mean: number): Bucket => ({
  at,
  min: mean - 1,
  max: mean + 1,
  mean,
  last: mean,
  count: 4,
  bad: 0,
});
const trend = (buckets: Bucket[]): Trend => ({ from: 0, to: 1_000_000, bucket_ms: 10_000, buckets });

describe('ranges', () => {
  test('survive the way through a URL', () => {
    for (const range of [
      { kind: 'last', ms: 21_600_000 } as const,
      { kind: 'fixed', from: 1_000_000, to: 2_000_000 } as const,
    ]) {
      const params = new URLSearchParams();
      for (const [key, value] of Object.entries(rangeParams(range))) if (value) params.set(key, value);
      expect(parseRange(params)).toEqual(range);
    }
  });

  test('nonsense in a URL is the last hour', () => {
    expect(parseRange(new URLSearchParams('from=abc&to=5&range=99y'))).toEqual({
      kind: 'last',
      ms: 3_600_000,
    });
    expect(parseRange(new URLSearchParams('from=10&to=5'))).toEqual({ kind: 'last', ms: 3_600_000 });
  });

  test('zooming keeps the instant under the cursor and stops at ten seconds', () => {
    expect(zoomed({ from: 0, to: 100_000 }, 0.5, 20_000)).toEqual({
      kind: 'fixed',
      from: 10_000,
      to: 60_000,
    });
    const close = zoomed({ from: 0, to: 12_000 }, 0.1);
    expect(close.kind === 'fixed' && close.to - close.from).toBe(SHORTEST_MS);
  });

  test('panning never goes beyond now', () => {
    expect(shifted({ from: 0, to: 100_000 }, 0.5, 120_000)).toEqual({
      kind: 'fixed',
      from: 20_000,
      to: 120_000,
    });
  });
});

describe('columns', () => {
  test('a silence longer than the stale time is a gap', () => {
    const [x, low, high, line] = columnsOf(
      trend([bucket(0, 20), bucket(10_000, 21), bucket(200_000, 22)]),
      SETPOINT,
    );
    expect(x).toEqual([5000, 15_000, 15_001, 205_000]);
    expect(line).toEqual([20, 21, null, 22]);
    expect(low[2]).toBeNull();
    expect(high[3]).toBe(23);
  });

  test('a slow point is not cut into pieces by narrow buckets', () => {
    const [, , , line] = columnsOf(trend([bucket(0, 20), bucket(30_000, 21), bucket(60_000, 22)]), SETPOINT);
    expect(line).toEqual([20, 21, 22]);
  });

  test('a point that reports changes only is drawn through its quiet', () => {
    const quiet = { ...SETPOINT, deadband: 0.2 };
    const [, , , line] = columnsOf(trend([bucket(0, 20), bucket(600_000, 22)]), quiet);
    expect(line).toEqual([20, 22]);
  });

  test('states have no band and show the last one', () => {
    const [, low, , line] = columnsOf(trend([{ ...bucket(0, 0.4), last: 1 }]), { ...SETPOINT, kind: 'bool' });
    expect(low).toEqual([null]);
    expect(line).toEqual([1]);
  });

  test('the live value follows the last bucket', () => {
    const [x, , , line] = columnsOf(trend([bucket(0, 20)]), SETPOINT, { at: 9000, value: 20.4 });
    expect(x).toEqual([5000, 9000]);
    expect(line).toEqual([20, 20.4]);
  });

  test('noise of one step does not fill the chart', () => {
    const [low, high] = verticalRange(columnsOf(trend([bucket(0, 20)]), SETPOINT), SETPOINT);
    expect(high - low).toBeGreaterThan(4);
  });
});
