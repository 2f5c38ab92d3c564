// What a change of a configuration is, line by line: what was, and what is. Secrets stay hidden.
import { EmptyState } from '../states/states';
import css from './configuration.module.css';

export interface Difference {
  /** Where, such as `rule[frost].condition.limit`. */
  at: string;
  before?: string | null;
  after?: string | null;
}

export function Differences({ differences }: { differences: readonly Difference[] }) {
  if (differences.length === 0)
    return <EmptyState title="No difference">Comments and layout do not count.</EmptyState>;
  return (
    <ul className={css.differences} aria-label="Differences">
      {differences.map((d) => (
        <li key={d.at}>
          <code className={css.at}>{d.at}</code>
          <span className={css.values}>
            {typeof d.before === 'string' && <del className={css.before}>{d.before}</del>}
            {typeof d.before === 'string' && typeof d.after === 'string' && <span aria-hidden>→</span>}
            {typeof d.after === 'string' && <ins className={css.after}>{d.after}</ins>}
          </span>
        </li>
      ))}
    </ul>
  );
}
