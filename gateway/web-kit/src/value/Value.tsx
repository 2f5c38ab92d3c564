// One value with its unit and its quality on it. Good is plain, uncertain is dotted, bad is struck
// through, stale says its age; unknown is a word, never a zero or a dash.
import { qualityWords } from '../words/quality';
import { formatAge, formatStamp } from '../format/time';
import { valueText, type PointFormat } from '../format/value';
import type { Reading } from '../model';
import { useNow } from '../clock';
import css from './Value.module.css';

interface ValueProps {
  point: PointFormat;
  reading: Reading;
  size?: 'normal' | 'large';
  /** Whether the reason stands beside the value (`inline`) or is only read out (`spoken`). */
  reason?: 'inline' | 'spoken';
  /** Opens the explanation of this value; makes the value a button. */
  onWhy?: () => void;
}

/** The mark a value wears, by level. */
function markOf(reading: Reading): string {
  if (reading.quality.level === 'bad') return css.bad ?? '';
  return reading.quality.level === 'uncertain' ? (css.uncertain ?? '') : '';
}

function Reason({ reading }: { reading: Reading }) {
  const now = useNow();
  const words = qualityWords(reading.quality);
  if (!words) return null;
  const stale = reading.quality.reason === 'stale' || reading.quality.reason === 'device_down';
  const age = stale && reading.at ? ` ${formatAge(now - reading.at)}` : '';
  return (
    <span className={css.reason}>
      {words.short}
      {age}
    </span>
  );
}

function spoken(reading: Reading): string {
  const words = qualityWords(reading.quality);
  return words ? `, ${reading.quality.level}: ${words.short}` : '';
}

export function Value({ point, reading, size = 'normal', reason = 'inline', onWhy }: ValueProps) {
  const shown = valueText(point, reading.value);
  const body = (
    <>
      {shown ? (
        <span className={css.figure}>
          <span className={`${css.text} ${shown.numeric ? css.numeric : ''} ${markOf(reading)}`}>
            {shown.text}
          </span>
          {shown.unit && <span className={css.unit}>{shown.unit}</span>}
        </span>
      ) : (
        <span className={css.unknown}>unknown</span>
      )}
      {reason === 'inline' ? (
        <Reason reading={reading} />
      ) : (
        <span className="r-visually-hidden">{spoken(reading)}</span>
      )}
    </>
  );
  const className = `${css.value} ${size === 'large' ? css.large : ''}`;
  const title = reading.at ? `as of ${formatStamp(reading.at)}` : 'never read';
  if (!onWhy) {
    return (
      <span className={className} title={title}>
        {body}
      </span>
    );
  }
  return (
    <button type="button" className={`${className} ${css.button}`} title={title} onClick={onWhy}>
      {body}
      <span className="r-visually-hidden">, explain</span>
    </button>
  );
}
