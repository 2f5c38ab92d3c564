// The versions, the newest first: who, when, what became of each; compared with what runs, or run again.
import { Button, Modal } from '@mantine/core';
import {
  auditPlace,
  BoneRows,
  Buttons,
  DataTable,
  Differences,
  ErrorState,
  formatStamp,
  messageOf,
  Problems,
  StatusDot,
  useAnnounce,
  useIsPhone,
  type Column,
  type StateWord,
} from '@riser/kit';
import { useState } from 'react';
import { revertConfiguration, type ConfigurationVersion } from '../api/calls';
import { useComparison } from '../api/queries';
import css from './configuration.module.css';

const SOURCES: Record<string, string> = {
  console: 'at the console',
  gateway: 'by the gateway itself',
};

function placeOf(source: string): string {
  if (source.startsWith('cloud')) return auditPlace(source);
  return SOURCES[source] ?? `from ${source}`;
}

function stateOf(version: ConfigurationVersion): StateWord {
  if (version.state === 'waiting') return { tone: 'busy', word: 'On trial' };
  if (version.state === 'reverted') return { tone: 'warning', word: 'Taken back' };
  return version.running ? { tone: 'normal', word: 'Runs' } : { tone: 'unknown', word: 'Replaced' };
}

const shortHash = (version: ConfigurationVersion) => version.sha256.slice(0, 12);
const who = (version: ConfigurationVersion) =>
  version.source === 'file' ? 'from the file' : `${version.actor}, ${placeOf(version.source)}`;

function Story({ version }: { version: ConfigurationVersion }) {
  const back = version.state === 'reverted' && version.reason !== '';
  return (
    <span className={css.story}>
      <span>{who(version)}</span>
      {version.note && <span className={css.note}>“{version.note}”</span>}
      {back && (
        <span className={css.note}>
          Taken back by {version.ended_by}: {version.reason}
        </span>
      )}
    </span>
  );
}

interface VersionsProps {
  versions: readonly ConfigurationVersion[];
  /** Whether another version may be run now. */
  free: boolean;
  onDone: () => Promise<unknown>;
}

export function Versions({ versions, free, onDone }: VersionsProps) {
  const [looked, setLooked] = useState<ConfigurationVersion | null>(null);
  const running = versions.find((v) => v.running);
  const action = (version: ConfigurationVersion) =>
    !version.running && (
      <Button variant="default" size="compact-md" className={css.compare} onClick={() => setLooked(version)}>
        Compare
      </Button>
    );
  const columns: Column<ConfigurationVersion>[] = [
    { key: 'version', title: 'Version', track: '72px', align: 'end', render: (v) => v.version },
    { key: 'at', title: 'Applied', track: '170px', render: (v) => formatStamp(v.at) },
    { key: 'who', title: 'By', track: 'minmax(180px, 3fr)', render: (v) => <Story version={v} /> },
    {
      key: 'hash',
      title: 'Hash',
      track: '124px',
      wideOnly: true,
      render: (v) => <span className="r-mono">{shortHash(v)}</span>,
    },
    { key: 'state', title: 'State', track: '120px', render: (v) => <StatusDot state={stateOf(v)} /> },
    { key: 'action', title: '', track: '110px', align: 'end', render: action },
  ];
  return (
    <>
      <DataTable
        label="Versions"
        rows={versions}
        columns={columns}
        rowKey={(v) => String(v.version)}
        card={(v) => (
          <div className={css.card}>
            <div className={css.cardHead}>
              <strong>Version {v.version}</strong>
              <StatusDot state={stateOf(v)} />
            </div>
            <span className={css.note}>
              {formatStamp(v.at)} · <span className="r-mono">{shortHash(v)}</span>
            </span>
            <Story version={v} />
            {action(v)}
          </div>
        )}
      />
      {looked && running && (
        <Compared
          from={looked}
          running={running}
          free={free}
          onDone={onDone}
          onClose={() => setLooked(null)}
        />
      )}
    </>
  );
}

interface ComparedProps {
  from: ConfigurationVersion;
  running: ConfigurationVersion;
  free: boolean;
  onDone: () => Promise<unknown>;
  onClose: () => void;
}

function Compared({ from, running, free, onDone, onClose }: ComparedProps) {
  const compared = useComparison(running.version, from.version);
  const phone = useIsPhone();
  const announce = useAnnounce();
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState('');
  const again = () => {
    setBusy(true);
    revertConfiguration({ version: from.version, reason: '', confirm_seconds: 600 })
      .then(
        async () => {
          await onDone();
          announce(`Version ${from.version} runs again on trial: confirm it within 10 minutes`);
          onClose();
        },
        (reason: unknown) => setFailed(messageOf(reason)),
      )
      .finally(() => setBusy(false));
  };
  return (
    <Modal
      opened
      onClose={onClose}
      size="xl"
      fullScreen={phone}
      title={`From version ${running.version}, which runs, to version ${from.version}`}
    >
      {compared.isPending && <BoneRows rows={4} />}
      {compared.error && (
        <ErrorState
          what="The versions could not be compared"
          message={messageOf(compared.error)}
          onRetry={() => void compared.refetch()}
        />
      )}
      {compared.data && <Differences differences={compared.data.differences} />}
      <Problems text={failed} />
      <Buttons>
        <Button
          onClick={again}
          loading={busy}
          disabled={!free || !compared.data || compared.data.differences.length === 0}
        >
          Run version {from.version} again, on trial
        </Button>
        <Button variant="default" onClick={onClose}>
          Close
        </Button>
      </Buttons>
    </Modal>
  );
}
