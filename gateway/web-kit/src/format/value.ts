// A value in the words of its point: resolution by the point's step, state texts, unit apart.
import type { Point, PointValue } from '../model';
import { decimalsOfStep, formatNumber } from './number';

/** What formatting needs to know of a point. */
export type PointFormat = Pick<Point, 'kind' | 'unit' | 'limits' | 'labels'>;

export interface ValueText {
  text: string;
  /** Empty for states, counts of things and text. */
  unit: string;
  /** True where figures are to be aligned. */
  numeric: boolean;
}

// Decimals people expect where a point names no step.
// prettier-ignore
const DECIMALS: Record<string, number> = {
  '°C': 1, '°F': 1, K: 1, 'ΔK': 1, '%': 0, '%RH': 0, ppm: 0, ppb: 0, Pa: 0, hPa: 1, kPa: 1, bar: 2, mbar: 0,
  W: 0, kW: 1, MW: 2, VA: 0, kVA: 1, var: 0, kvar: 1, Wh: 0, kWh: 1, MWh: 2, V: 1, mV: 0, A: 2, mA: 1, Hz: 2,
  cosφ: 2, l: 0, 'm³': 2, 'l/s': 2, 'l/min': 1, 'l/h': 0, 'm³/h': 1, 'm/s': 1, rpm: 0, lx: 0, s: 0, min: 0, h: 0, ms: 0,
};

/** How many decimals a number of this point is shown with. */
export function decimalsFor(point: PointFormat): number {
  const step = point.limits?.step;
  if (step) return decimalsOfStep(step);
  if (point.kind !== 'float') return 0;
  return DECIMALS[point.unit ?? ''] ?? 2;
}

/** The text of one state. */
export function stateText(point: PointFormat, state: number): string {
  const label = point.labels?.find((l) => l.state === state);
  if (label) return label.text;
  if (point.kind === 'bool') return state === 0 ? 'Off' : 'On';
  return `State ${state}`;
}

/** The value as text, or null when it is unknown. Never a zero or a dash for unknown. */
export function valueText(point: PointFormat, value: PointValue | null | undefined): ValueText | null {
  if (value === null || value === undefined) return null;
  if (point.kind === 'text' || typeof value === 'string') {
    return { text: value === '' ? 'empty text' : String(value), unit: '', numeric: false };
  }
  const number = Number(value);
  if (!Number.isFinite(number)) return null;
  if (point.kind === 'bool' || point.kind === 'enum') {
    return { text: stateText(point, number), unit: '', numeric: false };
  }
  return { text: formatNumber(number, decimalsFor(point)), unit: point.unit ?? '', numeric: true };
}

/** Value and unit in one string, for sentences: `21.0 °C`, or `unknown`. */
export function valueSentence(point: PointFormat, value: PointValue | null | undefined): string {
  const shown = valueText(point, value);
  if (!shown) return 'unknown';
  return shown.unit ? `${shown.text}\u202f${shown.unit}` : shown.text;
}
