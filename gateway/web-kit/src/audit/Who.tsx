// Who did something, from where, and when: as every record of people shows it.
import { useNow } from '../clock';
import { formatStamp, formatWhen } from '../format/time';
import { auditPlace } from '../words/audit';
import css from './audit.module.css';

export function When({ at }: { at: number }) {
  const now = useNow();
  return (
    <time className={css.when} dateTime={new Date(at).toISOString()} title={formatStamp(at)}>
      {formatWhen(at, now)}
    </time>
  );
}

export function Who({ actor, source }: { actor: string; source: string }) {
  return (
    <span className={css.who}>
      <span className={css.actor}>{actor}</span>
      <span className={css.place}>{auditPlace(source)}</span>
    </span>
  );
}
