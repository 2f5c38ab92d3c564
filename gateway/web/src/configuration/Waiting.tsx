// A change that waits, ended from this page.
import { Differences, messageOf, Trial, useAnnounce } from '@riser/kit';
import { useState } from 'react';
import { confirmConfiguration, revertConfiguration, type ConfigurationVersion } from '../api/calls';
import { useComparison } from '../api/queries';

interface WaitingProps {
  version: ConfigurationVersion;
  /** The version it would be taken back to. */
  before?: number | null;
  until: number;
  onDone: () => Promise<unknown>;
}

export function Waiting({ version, before = null, until, onDone }: WaitingProps) {
  const compared = useComparison(before, version.version).data;
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
    >
      {compared && <Differences differences={compared.differences} />}
    </Trial>
  );
}
