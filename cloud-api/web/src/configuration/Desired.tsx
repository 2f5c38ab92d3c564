// A document that was asked for and has not reached its gateway: who asked, until when it waits, and the way
// to cancel it.
import { Button } from '@mantine/core';
import { formatStamp, messageOf, Panel, Problems, useAnnounce, useNow } from '@riser/kit';
import { useState } from 'react';
import { cancelConfiguration, type ConfigurationDesired } from '../api/calls';
import { ANSWER_MS } from './useAsking';
import css from './configuration.module.css';

interface DesiredProps {
  gateway: string;
  desired: ConfigurationDesired;
  onDone: () => Promise<unknown>;
}

/** Whether there is something to say of it that the history does not. */
export function isOpen(desired: ConfigurationDesired, now: number): boolean {
  if (desired.state === 'waiting' || desired.state === 'expired') return true;
  return desired.state === 'sent' && now - (desired.sent_at ?? now) > ANSWER_MS;
}

function sentenceOf(desired: ConfigurationDesired): string {
  const until = formatStamp(desired.expires_at);
  if (desired.state === 'expired')
    return `The gateway did not take it before ${until}. It will not be sent any more.`;
  if (desired.state === 'sent')
    return `It went out and was not answered. It goes out again when the gateway connects, until ${until}.`;
  return `It goes out as soon as the gateway connects, until ${until}. A newer document takes its place.`;
}

export function Desired({ gateway, desired, onDone }: DesiredProps) {
  const announce = useAnnounce();
  const now = useNow();
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState('');
  if (!isOpen(desired, now)) return null;
  const cancel = () => {
    setBusy(true);
    setFailed('');
    cancelConfiguration(gateway)
      .then(
        () => announce('The document is cancelled'),
        (reason: unknown) => setFailed(messageOf(reason)),
      )
      .then(onDone)
      .finally(() => setBusy(false));
  };
  const over = desired.state === 'expired';
  return (
    <Panel title={over ? 'A document that came too late' : 'A document waits for the gateway'}>
      <div className={css.desired}>
        <div>
          <p>
            Asked for by <strong>{desired.by}</strong>
            {desired.from && ` from ${desired.from}`}, {formatStamp(desired.asked_at)}
            {desired.note && `: “${desired.note}”`}
          </p>
          <p className={css.quiet}>{sentenceOf(desired)}</p>
        </div>
        {!over && (
          <Button variant="default" loading={busy} onClick={cancel}>
            Cancel it
          </Button>
        )}
      </div>
      <Problems text={failed} />
    </Panel>
  );
}
