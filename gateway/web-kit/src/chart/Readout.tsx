// What the chart says under its cursor, or at its end: a line that keeps its height.
import { formatStamp } from '../format/time';
import { valueSentence } from '../format/value';
import { isDiscrete, type Columns, type TrendPoint } from './series';
import css from './chart.module.css';

function pick(columns: Columns, index: number | null): number {
  if (index !== null && index < columns[0].length) return index;
  return columns[0].length - 1;
}

/** The reading under the cursor in one sentence, for assistive technology. */
export function readoutText(columns: Columns, point: TrendPoint, index: number | null): string {
  const i = pick(columns, index);
  const at = columns[0][i];
  if (at === undefined) return 'no values';
  const line = columns[3][i];
  if (line === null || line === undefined) return `${formatStamp(at)}: no values, a gap`;
  return `${formatStamp(at)}: ${valueSentence(point, line)}`;
}

export function Readout({
  columns,
  point,
  index,
}: {
  columns: Columns;
  point: TrendPoint;
  index: number | null;
}) {
  const i = pick(columns, index);
  const at = columns[0][i];
  const line = columns[3][i];
  const low = columns[1][i];
  const high = columns[2][i];
  const known = line !== null && line !== undefined;
  return (
    <div className={css.readout} aria-hidden>
      <span className={css.when}>{at === undefined ? 'no values in this range' : formatStamp(at)}</span>
      {at !== undefined && <strong>{known ? valueSentence(point, line) : 'gap'}</strong>}
      {known && !isDiscrete(point) && typeof low === 'number' && typeof high === 'number' && high > low && (
        <span className={css.extremes}>
          min {valueSentence(point, low)} · max {valueSentence(point, high)}
        </span>
      )}
    </div>
  );
}
