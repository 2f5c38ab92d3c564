// A change that waits, ended from this page.
import { messageOf, Trial, useAnnounce } from '@riser/kit';
import { useState } from 'react';
import { confirmConfiguration, revertConfiguration, type ConfigurationVersion } from '../api/calls';

interface WaitingProps {
  version: ConfigurationVersion;
  until: number;
  onDone: () => Promise<unknown>;
}

export function Waiting({ version, until, onDone }: WaitingProps) {
  const announce = useAnnounce();
  const [busy, setBusy] = useState<'keep' | 'back' | null>(null);
  const [failed, setFailed] = useState('');
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
    <Trial
      version={version.version}
      actor={version.actor}
      until={until}
      busy={busy}
      failed={failed}
      onEnd={end}
    />
  );
}
