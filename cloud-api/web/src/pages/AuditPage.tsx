// The audit log of one gateway as the cloud keeps it: out of reach for whoever writes into the gateway's
// own file, and compared with it.
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
import { Download } from 'lucide-react';
import { useState } from 'react';
import { acknowledgeBreak, getAuditCsv, type AuditQuery, type GatewayAudit } from '../api/calls';
import { keys, useAudit } from '../api/queries';
import { saveBlob } from '../points/exportCsv';
import { useMay } from '../session/session';
import { useTrail } from '../trail';
import { useUrl } from '../useUrl';

const EFFECT =
  'The alarm in the cloud ends; the break stays visible here, with your name and what you write. On the gateway itself it is acknowledged on its own page.';

export default function AuditPage({ gateway }: { gateway: string }) {
  const [url, setUrl] = useUrl();
  const may = useMay('administer');
  const filter = auditFilterOf(url);
  const query = auditQuery(filter);
  return (
    <AuditLog
      header={{
        trail: useTrail(gateway),
        subtitle: 'Who did what on this gateway, when, and from where',
        actions: <Export gateway={gateway} query={query} />,
      }}
      denied={
        may ? null : { what: 'Your role does not show audit logs', who: 'Administrators of your tenant can.' }
      }
      audit={useAudit(gateway, query, may)}
      filter={filter}
      onFilter={setUrl}
      chain={({ chain }) => <Chain gateway={gateway} chain={chain} />}
      empty={{
        title: 'Nothing has come yet',
        text: 'What is done on the gateway appears here as soon as it is connected.',
      }}
    />
  );
}

function Export({ gateway, query }: { gateway: string; query: AuditQuery }) {
  const announce = useAnnounce();
  const [busy, setBusy] = useState(false);
  const save = () => {
    setBusy(true);
    getAuditCsv(gateway, query)
      .then(
        (blob) => saveBlob(blob, `${gateway}-audit.csv`),
        (reason: unknown) => announce(`It could not be exported: ${messageOf(reason)}`),
      )
      .finally(() => setBusy(false));
  };
  return (
    <Button variant="default" loading={busy} leftSection={<Download size={16} aria-hidden />} onClick={save}>
      Export as CSV
    </Button>
  );
}

function Chain({ gateway, chain }: { gateway: string; chain: GatewayAudit['chain'] }) {
  const queries = useQueryClient();
  const renew = () =>
    Promise.all(
      [keys.audit(gateway), keys.alarms].map((queryKey) => queries.invalidateQueries({ queryKey })),
    );
  const missing = chain.missing > 0 ? `; ${counted(chain.missing, 'entry', 'entries')} not here yet` : '';
  const chains = chain.chains > 1 ? ` in ${formatCount(chain.chains)} chains` : '';
  return (
    <ChainState
      breaks={chain.breaks}
      effect={EFFECT}
      acknowledge={(comment) => acknowledgeBreak(gateway, comment).then(renew)}
    >
      {counted(chain.kept, 'entry', 'entries')}
      {chains} kept here, each compared with the one before it as it came{missing}
    </ChainState>
  );
}
