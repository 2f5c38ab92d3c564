// Where a value stands within its sensible range: a short track with one mark.
import { formatNumber } from '../format/number';
import { decimalsFor, type PointFormat } from '../format/value';
import type { Reading } from '../model';
import css from './LimitsBar.module.css';

interface LimitsBarProps {
  point: PointFormat;
  reading: Reading;
  /** Shows the two limits under the track. */
  labelled?: boolean;
}

export function LimitsBar({ point, reading, labelled = false }: LimitsBarProps) {
  const { min, max } = point.limits ?? {};
  const numeric = point.kind === 'float' || point.kind === 'integer';
  if (!numeric || min === null || min === undefined || max === null || max === undefined || max <= min)
    return null;
  const value = typeof reading.value === 'number' && Number.isFinite(reading.value) ? reading.value : null;
  const share = value === null ? null : (value - min) / (max - min);
  const outside = share !== null && (share < 0 || share > 1);
  const decimals = decimalsFor(point);
  const unit = point.unit ?? '';
  const range = `sensible range ${formatNumber(min, decimals)} to ${formatNumber(max, decimals)} ${unit}`;
  return (
    <span className={labelled ? css.labelled : css.bare}>
      <svg
        className={css.track}
        viewBox="0 0 100 10"
        preserveAspectRatio="none"
        role="img"
        aria-label={range}
      >
        <title>{range}</title>
        <rect x="0" y="3.5" width="100" height="3" rx="1.5" className={css.range} />
        {share !== null && (
          <rect
            x={Math.min(97, Math.max(0, share * 100 - 1.5))}
            y="0"
            width="3"
            height="10"
            rx="1"
            className={outside ? css.outside : reading.quality.level === 'bad' ? css.doubtful : css.inside}
          />
        )}
      </svg>
      {labelled && (
        <span className={css.ends}>
          <span>{formatNumber(min, decimals)}</span>
          <span>
            {formatNumber(max, decimals)}
            {unit && ` ${unit}`}
          </span>
        </span>
      )}
    </span>
  );
}
