// How the scheduled backups are doing: the last one, whether it could be restored, and how old it is.
import { Button } from '@mantine/core';
import {
  Age,
  Facts,
  formatBytes,
  messageOf,
  Panel,
  StatusDot,
  useAnnounce,
  useNow,
  type StateWord,
} from '@riser/kit';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { makeBackup, type BackupHealth } from '../api/calls';
import { keys } from '../api/queries';
import { useMay } from '../session/session';
import css from './BackupPanel.module.css';

const HOUR_MS = 3_600_000;

function stateOf(health: BackupHealth, now: number): StateWord {
  if (health.running) return { tone: 'busy', word: 'Being made' };
  if (health.ok === false) return { tone: 'fault', word: 'Failed' };
  if (!health.last_ok) return { tone: 'unknown', word: 'None yet' };
  const late = now - health.last_ok > 2 * health.every_hours * HOUR_MS;
  return late ? { tone: 'warning', word: 'Overdue' } : { tone: 'normal', word: 'Restorable' };
}

export function BackupPanel({ health }: { health: BackupHealth | null | undefined }) {
  const now = useNow();
  if (!health) {
    return (
      <Panel title="Backups" aside={<StatusDot state={{ tone: 'unknown', word: 'Not configured' }} />}>
        <p className={css.none}>
          Nothing of this gateway is saved elsewhere. Add <code>[backup]</code> with a folder and a key file
          to <code>riser.toml</code>.
        </p>
      </Panel>
    );
  }
  return (
    <Panel title="Backups" aside={<StatusDot state={stateOf(health, now)} strong />}>
      {health.error && <p className={css.error}>{health.error}</p>}
      <Facts
        facts={[
          { name: 'Last good one', value: <Age at={health.last_ok} ago never="none yet" /> },
          {
            name: 'Restored on trial',
            value: !health.at ? (
              'not yet'
            ) : (
              <>
                <Age at={health.at} ago />
                {health.ok === false ? ', failed' : ', compared and the same'}
              </>
            ),
          },
          ...(health.file
            ? [{ name: 'File', value: <span className={css.file}>{fileName(health.file)}</span> }]
            : []),
          ...(health.octets > 0 ? [{ name: 'Size', value: formatBytes(health.octets) }] : []),
          { name: 'Made every', value: `${health.every_hours} h` },
        ]}
      />
      <Make health={health} />
    </Panel>
  );
}

const fileName = (path: string): string => path.split('/').at(-1) ?? path;

function Make({ health }: { health: BackupHealth }) {
  const may = useMay('administer');
  const queries = useQueryClient();
  const announce = useAnnounce();
  const [busy, setBusy] = useState(false);
  if (!may) return null;
  const make = () => {
    setBusy(true);
    makeBackup()
      .then(
        () => {
          announce('A backup is being made and restored on trial');
          return queries.invalidateQueries({ queryKey: keys.overview });
        },
        (reason: unknown) => announce(`No backup was begun: ${messageOf(reason)}`),
      )
      .finally(() => setBusy(false));
  };
  return (
    <div className={css.make}>
      <Button variant="default" onClick={make} loading={busy || health.running}>
        Back up now
      </Button>
    </div>
  );
}
