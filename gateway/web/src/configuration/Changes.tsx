// What a change is, line by line, and what it does to what runs.
import { EmptyState } from '@riser/kit';
import type { ConfigurationAnswer, ConfigurationDifference } from '../api/calls';
import css from './configuration.module.css';

/** The differences, each with what was and what is; secrets stay hidden. */
export function Differences({ differences }: { differences: readonly ConfigurationDifference[] }) {
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

/** In one sentence: what is started again, and what runs on. */
export function effectSentence(effects: ConfigurationAnswer['effects']): string {
  if (effects.whole.length > 0)
    return `Everything starts again, as [${effects.whole.join('], [')}] changes: values pause for a few seconds.`;
  const said = [
    effects.restarted.length > 0 && `restarts ${effects.restarted.join(', ')}`,
    effects.started.length > 0 && `starts ${effects.started.join(', ')}`,
    effects.stopped.length > 0 && `stops ${effects.stopped.join(', ')}`,
    effects.rules && 'swaps the rules',
    effects.link && 'makes the link to the cloud again',
  ].filter((part): part is string => typeof part === 'string');
  if (said.length === 0) return 'Restarts nothing.';
  const all = said.join('; ');
  return `${all.charAt(0).toUpperCase()}${all.slice(1)}. Everything else runs on.`;
}
