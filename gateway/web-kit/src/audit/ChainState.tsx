// Whether the audit log is whole: one sentence while it is, and every break with who took it.
import { Button } from '@mantine/core';
import { useState, type ReactNode } from 'react';
import { formatStamp } from '../format/time';
import { counted } from '../format/number';
import type { AuditBreak } from '../model';
import { StatusDot } from '../status/StatusDot';
import { AcknowledgeBreak } from './AcknowledgeBreak';
import css from './audit.module.css';

interface ChainStateProps {
  breaks: readonly AuditBreak[];
  /** How many entries were checked, since when, and the like. */
  children: ReactNode;
  /** What acknowledging does, in a sentence. */
  effect: string;
  acknowledge: (comment: string) => Promise<unknown>;
  /** More to do beside acknowledging. */
  action?: ReactNode;
}

const WHOLE = { tone: 'normal', word: 'Whole' } as const;
const KNOWN = { tone: 'warning', word: 'Whole but for what is acknowledged' } as const;
const BROKEN = { tone: 'fault', word: 'Broken' } as const;

/** `entry 4 was changed` begins a line. */
const begin = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

export function ChainState({ breaks, children, effect, acknowledge, action }: ChainStateProps) {
  const [taking, setTaking] = useState(false);
  const fresh = breaks.filter((b) => !b.acknowledged);
  const state = fresh.length > 0 ? BROKEN : breaks.length > 0 ? KNOWN : WHOLE;
  return (
    <div className={css.chain}>
      <div className={css.chainHead}>
        <StatusDot state={state} strong />
        <span className={css.place}>{children}</span>
        {action && <span className={css.action}>{action}</span>}
      </div>
      {fresh.length > 0 && (
        <div className={css.alert} role="alert">
          <strong>
            Somebody wrote into this log, or it was damaged: {counted(fresh.length, 'break')} nobody has
            acknowledged.
          </strong>
          <Button onClick={() => setTaking(true)}>Acknowledge…</Button>
        </div>
      )}
      {breaks.length > 0 && (
        <ul className={css.breaks} aria-label="Breaks of the audit log">
          {breaks.map((b) => (
            <li key={`${b.no} ${b.reason} ${b.acknowledged?.at ?? ''}`}>
              <span className={b.acknowledged ? undefined : css.notable}>
                {!b.acknowledged && <span aria-hidden>▲ </span>}
                {begin(b.reason)}
              </span>
              <span className={css.place}>
                {b.noticed_at && `noticed ${formatStamp(b.noticed_at)}`}
                {b.noticed_at && b.acknowledged && '; '}
                {b.acknowledged &&
                  `acknowledged by ${b.acknowledged.by}, ${formatStamp(b.acknowledged.at)}: ${b.acknowledged.comment}`}
                {!b.acknowledged && !b.noticed_at && 'not acknowledged'}
              </span>
            </li>
          ))}
        </ul>
      )}
      <AcknowledgeBreak
        opened={taking}
        breaks={fresh}
        effect={effect}
        onClose={() => setTaking(false)}
        acknowledge={acknowledge}
      />
    </div>
  );
}
