// Open alarms by priority: four figures, quiet while they are zero.
import { formatCount } from '../format/number';
import type { AlarmPriority } from '../model';
import { Link } from '../link';
import { AlarmShape } from '../status/AlarmBadge';
import { PRIORITIES, PRIORITY_WORDS } from '../words/alarm';
import css from './alarms.module.css';

interface AlarmCountsProps {
  counts: Record<AlarmPriority, number>;
  href: (priority: AlarmPriority) => string;
}

export function AlarmCounts({ counts, href }: AlarmCountsProps) {
  return (
    <ul className={css.counts} aria-label="Open alarms by priority">
      {PRIORITIES.map((priority) => {
        const count = counts[priority];
        return (
          <li key={priority}>
            <Link href={href(priority)} className={`${css.count} ${count > 0 ? css[priority] : ''}`}>
              <span className={css.figure}>
                <AlarmShape priority={priority} quiet={count === 0} filled={count > 0} size={18} />
                {formatCount(count)}
              </span>
              <span className={css.word}>{PRIORITY_WORDS[priority].name}</span>
            </Link>
          </li>
        );
      })}
    </ul>
  );
}
