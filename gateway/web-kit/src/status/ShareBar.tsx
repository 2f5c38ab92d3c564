// How a whole divides into states: one bar, and the figures beneath with their words.
import type { Tone } from '../words/health';
import { formatCount } from '../format/number';
import { Link } from '../link';
import { StatusDot } from './StatusDot';
import css from './ShareBar.module.css';

export interface Share {
  word: string;
  tone: Tone;
  count: number;
  /** Where the things counted can be seen. */
  href?: string;
}

export function ShareBar({ shares, label }: { shares: Share[]; label: string }) {
  const total = shares.reduce((sum, s) => sum + s.count, 0);
  return (
    <div>
      <div className={css.bar} aria-hidden>
        {shares
          .filter((s) => s.count > 0)
          .map((s) => (
            <span
              key={s.word}
              className={css[s.tone]}
              style={{ flexGrow: Math.max(s.count / total, 0.02) }}
            />
          ))}
      </div>
      <ul className={css.list} aria-label={label}>
        {shares.map((s) => {
          const body = (
            <>
              <span className={css.count}>{formatCount(s.count)}</span>
              <StatusDot state={{ tone: s.count === 0 ? 'unknown' : s.tone, word: s.word }} />
            </>
          );
          return (
            <li key={s.word} className={s.count === 0 ? css.none : undefined}>
              {s.href ? (
                <Link href={s.href} className={css.link}>
                  {body}
                </Link>
              ) : (
                <span className={css.link}>{body}</span>
              )}
            </li>
          );
        })}
      </ul>
    </div>
  );
}
