// The writes of a point, newest first: what was asked, by whom, what came of it.
import { formatWhen } from '../format/time';
import { valueSentence } from '../format/value';
import { useNow } from '../clock';
import type { CommandRecord, CommandState, Point } from '../model';
import { StatusDot } from '../status/StatusDot';
import { authorName, COMMAND_WORDS, outcomeSentence, priorityName } from '../words/command';
import type { Tone } from '../words/health';
import css from './point.module.css';

const TONES: Record<CommandState, Tone> = {
  requested: 'busy',
  sent: 'busy',
  applied: 'normal',
  accepted_not_effective: 'warning',
  refused: 'fault',
  expired: 'warning',
  failed: 'fault',
};

export function WriteHistory({ point, commands }: { point: Point; commands: readonly CommandRecord[] }) {
  const now = useNow();
  return (
    <ul className={css.history}>
      {commands.map(({ command, outcome }) => (
        <li key={command.id}>
          <span className={css.historyWhen}>{formatWhen(command.issued_at, now)}</span>
          <span className={css.historyWhat}>
            <strong>
              {command.value === null || command.value === undefined
                ? 'Release'
                : valueSentence(point, command.value)}
            </strong>{' '}
            <span className={css.detailInline}>
              at priority {priorityName(command.priority)} by {authorName(command.author)}
            </span>
            {outcome.state !== 'applied' && (
              <span className={css.detail}>{outcomeSentence({ command, outcome })}</span>
            )}
          </span>
          <StatusDot state={{ tone: TONES[outcome.state], word: COMMAND_WORDS[outcome.state] }} />
        </li>
      ))}
    </ul>
  );
}
