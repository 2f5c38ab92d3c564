// An alarm's priority as colour, shape and word; filled while it waits to be acknowledged.
import { PRIORITY_WORDS } from '../words/alarm';
import type { AlarmPriority } from '../model';
import css from './AlarmBadge.module.css';

const SHAPES: Record<AlarmPriority, string> = {
  critical: 'M8 1 15 8 8 15 1 8z',
  high: 'M8 1.8 15.2 14.2H.8z',
  medium: 'M2.2 2.2h11.6v11.6H2.2z',
  low: 'M8 1.6a6.4 6.4 0 1 1 0 12.8A6.4 6.4 0 0 1 8 1.6z',
};

interface AlarmShapeProps {
  priority: AlarmPriority;
  /** Filled asks for attention; an outline has been seen. */
  filled?: boolean;
  /** Draws it without colour, for a count of zero. */
  quiet?: boolean;
  size?: number;
}

export function AlarmShape({ priority, filled = true, quiet = false, size = 14 }: AlarmShapeProps) {
  return (
    <svg
      className={quiet ? css.quiet : css[priority]}
      width={size}
      height={size}
      viewBox="0 0 16 16"
      strokeLinejoin="round"
      aria-hidden
    >
      <path d={SHAPES[priority]} className={filled ? css.filled : css.outline} />
    </svg>
  );
}

interface AlarmBadgeProps {
  priority: AlarmPriority;
  filled?: boolean;
}

export function AlarmBadge({ priority, filled = true }: AlarmBadgeProps) {
  return (
    <span className={`${css.badge} ${css[priority]}`}>
      <AlarmShape priority={priority} filled={filled} />
      {PRIORITY_WORDS[priority].name}
    </span>
  );
}
