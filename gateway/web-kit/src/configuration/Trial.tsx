// A configuration on trial: how long is left, and the two ways it can end.
import { Button } from '@mantine/core';
import type { ReactNode } from 'react';
import { useNow } from '../clock';
import { formatSpan, formatStamp } from '../format/time';
import css from './configuration.module.css';

interface TrialProps {
  version: number;
  actor: string;
  until: number;
  /** Which end was asked for and is not there yet. */
  busy: 'keep' | 'back' | null;
  /** Why neither can be asked for now, if so. */
  blocked?: string | null;
  /** Why the last one asked for did not come. */
  failed: string;
  onEnd: (what: 'keep' | 'back') => void;
  /** What it changed. */
  children?: ReactNode;
}

export function Trial(props: TrialProps) {
  const { version, actor, until, busy, blocked = null, failed, onEnd, children } = props;
  const left = until - useNow();
  const still = busy !== null || blocked !== null;
  return (
    <section className={css.trial} aria-label="A change waits">
      <div className={css.trialText}>
        <strong className={css.countdown}>
          {left > 0 ? `Taken back in ${formatSpan(Math.ceil(left / 1000) * 1000)}` : 'Being taken back'}
        </strong>
        <p>
          Version {version} of {actor} runs on trial. Without an answer by {formatStamp(until)}, or when it
          does harm, the version before it runs again.
        </p>
        {blocked && <p>{blocked}</p>}
        {failed && (
          <p className={css.failed} role="alert">
            {failed}
          </p>
        )}
      </div>
      <div className={css.buttons}>
        <Button onClick={() => onEnd('keep')} loading={busy === 'keep'} disabled={still}>
          Keep it
        </Button>
        <Button variant="default" onClick={() => onEnd('back')} loading={busy === 'back'} disabled={still}>
          Take it back
        </Button>
      </div>
      {children && <div className={css.trialChanges}>{children}</div>}
    </section>
  );
}
