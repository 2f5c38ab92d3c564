// The page of an audit log: whether it is whole, what of it is wanted, and the entries. Owns every state of
// it; whoever shows it fetches the pages and says whose log it is.
import { Button } from '@mantine/core';
import { useCallback, useMemo, type ReactNode } from 'react';
import type { AuditEntry } from '../model';
import { messageOf } from '../problem';
import { PageHeader, Panel } from '../shell/Page';
import { BoneBlock, BoneRows } from '../states/Bones';
import { EmptyState, ErrorState, NoPermission } from '../states/states';
import { AuditFilters, isFiltered, type AuditFilter } from './AuditFilters';
import { AuditTable } from './AuditTable';
import css from './audit.module.css';

/** Pages of a log as they are fetched, the newest first; what a query library hands out fits. */
export interface AuditPages<P> {
  data?: { pages: P[] };
  error: unknown;
  isPending: boolean;
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => unknown;
  refetch: () => unknown;
}

interface AuditLogProps<P> {
  header: { subtitle: string; trail?: readonly { href: string; label: string }[]; actions: ReactNode };
  /** Why nothing is shown, where the role does not show it. */
  denied: { what: string; who: string } | null;
  audit: AuditPages<P>;
  filter: AuditFilter;
  onFilter: (changes: Record<string, string | null>) => void;
  /** Whether it is whole, out of the newest page. */
  chain: (newest: P) => ReactNode;
  /** What a log without an entry means here. */
  empty: { title: string; text: string };
}

const NO_FILTER = { search: null, action: null, from: null, to: null };

export function AuditLog<P extends { entries: AuditEntry[] }>(props: AuditLogProps<P>) {
  const { header, denied, audit, filter, onFilter } = props;
  if (denied) {
    return (
      <>
        <PageHeader title="Audit log" trail={header.trail} />
        <Panel>
          <NoPermission {...denied} />
        </Panel>
      </>
    );
  }
  const newest = audit.data?.pages[0];
  if (!newest && audit.error) {
    return (
      <>
        <PageHeader title="Audit log" trail={header.trail} subtitle={header.subtitle} />
        <Panel>
          <ErrorState
            what="The audit log could not be fetched"
            message={messageOf(audit.error)}
            onRetry={() => void audit.refetch()}
          />
        </Panel>
      </>
    );
  }
  return (
    <>
      <PageHeader title="Audit log" {...header} />
      <Panel className={css.chainPanel}>{newest ? props.chain(newest) : <BoneBlock height={36} />}</Panel>
      <AuditFilters filter={filter} onChange={onFilter} />
      <Panel flush>
        {newest ? (
          <Entries audit={audit}>
            {isFiltered(filter) ? (
              <EmptyState
                title="No entry matches"
                action={
                  <Button variant="default" onClick={() => onFilter(NO_FILTER)}>
                    Show all entries
                  </Button>
                }
              >
                Look for a name, an address such as “192.168.”, or a point such as “ahu-1/”.
              </EmptyState>
            ) : (
              <EmptyState title={props.empty.title}>{props.empty.text}</EmptyState>
            )}
          </Entries>
        ) : (
          <BoneRows rows={10} />
        )}
      </Panel>
    </>
  );
}

/** The entries, older ones as they are scrolled to; the children stand where there is none. */
function Entries<P extends { entries: AuditEntry[] }>({
  audit,
  children,
}: {
  audit: AuditPages<P>;
  children: ReactNode;
}) {
  const { data, hasNextPage, isFetchingNextPage, fetchNextPage } = audit;
  const entries = useMemo(() => data?.pages.flatMap((p) => p.entries) ?? [], [data]);
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  if (entries.length === 0) return children;
  return <AuditTable entries={entries} onEnd={hasNextPage ? onEnd : undefined} />;
}
