// A change that waits: how long is left, and the two ways it can end.
import { Button } from '@mantine/core';
import { formatSpan, formatStamp, messageOf, useAnnounce, useNow } from '@riser/kit';
import { useState } from 'react';
import { confirmConfiguration, revertConfiguration, type ConfigurationVersion } from '../api/calls';
import css from './configuration.module.css';

interface WaitingProps {
  version: ConfigurationVersion;
  until: number;
  onDone: () => Promise<unknown>;
}

export function Waiting({ version, until, onDone }: WaitingProps) {
  const announce = useAnnounce();
  const now = useNow();
  const [busy, setBusy] = useState<'keep' | 'back' | null>(null);
  const [failed, setFailed] = useState('');
  const left = until - now;
  const end = (what: 'keep' | 'back') => {
    setBusy(what);
    setFailed('');
    const asked =
      what === 'keep'
        ? confirmConfiguration(version.version)
        : revertConfiguration({ version: version.version, reason: '' });
    asked
      .then(
        () => announce(what === 'keep' ? 'The change is kept' : 'The change was taken back'),
        (reason: unknown) => setFailed(messageOf(reason)),
      )
      .then(onDone)
      .finally(() => setBusy(null));
  };
  return (
    <section className={css.waiting} aria-label="A change waits">
      <div>
        <strong className={css.countdown}>
          {left > 0 ? `Taken back in ${formatSpan(Math.ceil(left / 1000) * 1000)}` : 'Being taken back'}
        </strong>
        <p className={css.waitingText}>
          Version {version.version} of {version.actor} runs on trial. Without an answer by{' '}
          {formatStamp(until)}, or when it does harm, the version before it runs again.
        </p>
        {failed && (
          <p className={css.failed} role="alert">
            {failed}
          </p>
        )}
      </div>
      <div className={css.waitingActions}>
        <Button onClick={() => end('keep')} loading={busy === 'keep'} disabled={busy !== null}>
          Keep it
        </Button>
        <Button
          variant="default"
          onClick={() => end('back')}
          loading={busy === 'back'}
          disabled={busy !== null}
        >
          Take it back
        </Button>
      </div>
    </section>
  );
}
