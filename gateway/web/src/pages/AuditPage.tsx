// The audit log of this gateway: who did what, when and from where, and whether anybody wrote into it.
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
import { Download, ShieldCheck } from 'lucide-react';
import { useCallback, useMemo, useState } from 'react';
import { acknowledgeBreak, auditCsvHref, getAudit, type AuditList } from '../api/calls';
import { keys, useAudit } from '../api/queries';
import { useMay } from '../session/session';
import { useUrl } from '../useUrl';
import css from './AuditPage.module.css';

const EFFECT =
  'The alarm ends and a new chain begins. What is broken stays visible here, with your name and what you write.';

export default function AuditPage() {
  const [url, setUrl] = useUrl();
  const may = useMay('administer');
  const filter = auditFilterOf(url);
  const query = auditQuery(filter);
  const audit = useAudit(query, may);
  const entries = useMemo(() => audit.data?.pages.flatMap((p) => p.entries) ?? [], [audit.data]);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = audit;
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  if (!may) {
    return (
      <>
        <PageHeader title="Audit log" />
        <Panel>
          <NoPermission
            what="Your role does not show the audit log"
            who="Administrators of this gateway can."
          />
        </Panel>
      </>
    );
  }
  const chain = audit.data?.pages[0]?.chain;
  return (
    <>
      <PageHeader
        title="Audit log"
        subtitle="Who did what, when, and from where"
        actions={
          <Button
            component="a"
            href={auditCsvHref(query)}
            download
            variant="default"
            leftSection={<Download size={16} aria-hidden />}
          >
            Export as CSV
          </Button>
        }
      />
      <Panel className={css.chain}>
        {chain ? (
          <Chain chain={chain} />
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

function NoEntries({ filtered, onClear }: { filtered: boolean; onClear: () => void }) {
  if (!filtered)
    return (
      <EmptyState title="Nothing has been done yet">
        Log-ins, writes, acknowledgements, configurations and backups appear here as they happen.
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
