// The audit log of one gateway as the cloud keeps it: out of reach for whoever writes into the gateway's
// own file, and compared with it.
import { Button } from '@mantine/core';
import {
  AuditFilters,
  auditFilterOf,
  auditQuery,
  AuditTable,
  BoneBlock,
  BoneRows,
  ChainState,
  counted,
  EmptyState,
  ErrorState,
  formatCount,
  isFiltered,
  messageOf,
  NoPermission,
  PageHeader,
  Panel,
  useAnnounce,
} from '@riser/kit';
import { useQueryClient } from '@tanstack/react-query';
import { Download } from 'lucide-react';
import { useCallback, useMemo, useState } from 'react';
import { acknowledgeBreak, getAuditCsv, type AuditQuery, type GatewayAudit } from '../api/calls';
import { keys, useAudit, useGateways } from '../api/queries';
import { saveBlob } from '../points/exportCsv';
import { useMay } from '../session/session';
import { useUrl } from '../useUrl';
import css from './AuditPage.module.css';

const EFFECT =
  'The alarm in the cloud ends; the break stays visible here, with your name and what you write. On the gateway itself it is acknowledged on its own page.';

export default function AuditPage({ gateway }: { gateway: string }) {
  const [url, setUrl] = useUrl();
  const may = useMay('administer');
  const name = useGateways().data?.find((g) => g.id === gateway)?.name ?? gateway;
  const filter = auditFilterOf(url);
  const query = auditQuery(filter);
  const audit = useAudit(gateway, query, may);
  const entries = useMemo(() => audit.data?.pages.flatMap((p) => p.entries) ?? [], [audit.data]);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = audit;
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const trail = [
    { href: '/', label: 'Gateways' },
    { href: `/gateways/${gateway}`, label: name },
  ];
  if (!may) {
    return (
      <>
        <PageHeader title="Audit log" trail={trail} />
        <Panel>
          <NoPermission what="Your role does not show audit logs" who="Administrators of your tenant can." />
        </Panel>
      </>
    );
  }
  const chain = audit.data?.pages[0]?.chain;
  return (
    <>
      <PageHeader
        title="Audit log"
        trail={trail}
        subtitle="Who did what on this gateway, when, and from where"
        actions={<Export gateway={gateway} query={query} />}
      />
      <Panel className={css.chain}>
        {chain ? (
          <Chain gateway={gateway} chain={chain} />
        ) : audit.error ? (
          <p className={css.none}>Not known.</p>
        ) : (
          <BoneBlock height={36} />
        )}
      </Panel>
      <AuditFilters filter={filter} onChange={setUrl} />
      <Panel flush>
        {audit.isPending && <BoneRows rows={10} />}
        {audit.error && !audit.data && (
          <ErrorState
            what="The audit log could not be fetched"
            message={messageOf(audit.error)}
            onRetry={() => void audit.refetch()}
          />
        )}
        {audit.data && entries.length === 0 && (
          <NoEntries
            filtered={isFiltered(filter)}
            onClear={() => setUrl({ search: null, action: null, from: null, to: null })}
          />
        )}
        {entries.length > 0 && <AuditTable entries={entries} onEnd={hasNextPage ? onEnd : undefined} />}
      </Panel>
    </>
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

function NoEntries({ filtered, onClear }: { filtered: boolean; onClear: () => void }) {
  if (!filtered)
    return (
      <EmptyState title="Nothing has come yet">
        What is done on the gateway appears here as soon as it is connected.
      </EmptyState>
    );
  return (
    <EmptyState
      title="No entry matches"
      action={
        <Button variant="default" onClick={onClear}>
          Show all entries
        </Button>
      }
    >
      Look for a name, an address such as “192.168.”, or a point such as “ahu-1/”.
    </EmptyState>
  );
}
