// The audit log of this gateway: who did what, when and from where, and whether anybody wrote into it.
import { Button } from '@mantine/core';
import {
  auditFilterOf,
  AuditLog,
  auditQuery,
  ChainState,
  counted,
  formatCount,
  messageOf,
  useAnnounce,
} from '@riser/kit';
import { useQueryClient } from '@tanstack/react-query';
import { Download, ShieldCheck } from 'lucide-react';
import { useState } from 'react';
import { acknowledgeBreak, auditCsvHref, getAudit, type AuditList } from '../api/calls';
import { keys, useAudit } from '../api/queries';
import { useMay } from '../session/session';
import { RECORDS } from '../trail';
import { useUrl } from '../useUrl';

const EFFECT =
  'The alarm ends and a new chain begins. What is broken stays visible here, with your name and what you write.';

export default function AuditPage() {
  const [url, setUrl] = useUrl();
  const may = useMay('administer');
  const filter = auditFilterOf(url);
  const query = auditQuery(filter);
  return (
    <AuditLog
      header={{
        trail: RECORDS,
        subtitle: 'Who did what, when, and from where',
        actions: (
          <Button
            component="a"
            href={auditCsvHref(query)}
            download
            variant="default"
            leftSection={<Download size={16} aria-hidden />}
          >
            Export as CSV
          </Button>
        ),
      }}
      denied={
        may
          ? null
          : {
              what: 'Your role does not show the audit log',
              who: 'Administrators of this gateway can.',
            }
      }
      audit={useAudit(query, may)}
      filter={filter}
      onFilter={setUrl}
      chain={({ chain }) => <Chain chain={chain} />}
      empty={{
        title: 'Nothing has been done yet',
        text: 'Log-ins, writes, acknowledgements, configurations and backups appear here as they happen.',
      }}
    />
  );
}

function Chain({ chain }: { chain: AuditList['chain'] }) {
  const queries = useQueryClient();
  const announce = useAnnounce();
  const [busy, setBusy] = useState(false);
  const renew = () =>
    Promise.all(
      [keys.audit, keys.alarms, keys.overview].map((queryKey) => queries.invalidateQueries({ queryKey })),
    );
  const check = () => {
    setBusy(true);
    getAudit({ limit: 1, check: true })
      .then(
        async ({ chain: now }) => {
          await renew();
          announce(now.ok ? 'The audit log is whole' : 'The audit log is broken');
        },
        (reason: unknown) => announce(`It could not be checked: ${messageOf(reason)}`),
      )
      .finally(() => setBusy(false));
  };
  const pruned = chain.pruned > 0 ? `; up to number ${formatCount(chain.pruned)} dropped by age` : '';
  return (
    <ChainState
      breaks={chain.breaks}
      effect={EFFECT}
      acknowledge={(comment) => acknowledgeBreak(comment).then(renew)}
      action={
        <Button
          variant="default"
          loading={busy}
          leftSection={<ShieldCheck size={16} aria-hidden />}
          onClick={check}
        >
          Check now
        </Button>
      }
    >
      {counted(chain.sound, 'entry', 'entries')} checked, each continues the one before it{pruned}
    </ChainState>
  );
}
