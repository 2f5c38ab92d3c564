// Every gateway, worst first: connection, lag, backlog, open alarms, version.
import { TextInput } from '@mantine/core';
import {
  Age,
  BoneRows,
  counted,
  DataTable,
  EmptyState,
  ErrorState,
  formatBytes,
  formatCount,
  Link,
  messageOf,
  PageHeader,
  Panel,
  serverNow,
  StatusDot,
  useNow,
  type Column,
} from '@riser/kit';
import { Search, Server } from 'lucide-react';
import { useMemo } from 'react';
import type { Gateway } from '../api/calls';
import { useGateways } from '../api/queries';
import { connectionOf, lagOf, worstFirst } from '../gateways';
import { useUrl } from '../useUrl';
import css from './gateways.module.css';

function Connection({ gateway }: { gateway: Gateway }) {
  const now = useNow();
  const since = gateway.connected ? gateway.connected_since : gateway.last_seen;
  return (
    <span className={css.two}>
      <StatusDot state={connectionOf(gateway, now)} />
      {since && (
        <span className={css.dim}>
          {gateway.connected ? 'connected for' : 'last heard'} <Age at={since} ago={!gateway.connected} />
        </span>
      )}
    </span>
  );
}

function Backlog({ gateway }: { gateway: Gateway }) {
  if (gateway.backlog_batches === 0) return <span className={css.dim}>none</span>;
  return (
    <span className={css.twoEnd}>
      {formatCount(gateway.backlog_batches)}
      <span className={css.dim}>{formatBytes(gateway.backlog_bytes)}</span>
    </span>
  );
}

function Alarms({ gateway }: { gateway: Gateway }) {
  if (gateway.alarms_open === 0) return <span className={css.dim}>none</span>;
  return (
    <Link href={`/alarms?gateway=${gateway.id}`} className={css.alarms}>
      {formatCount(gateway.alarms_open)}
    </Link>
  );
}

const COLUMNS: readonly Column<Gateway>[] = [
  {
    key: 'name',
    title: 'Gateway',
    track: 'minmax(180px, 2fr)',
    compare: (a, b) => a.name.localeCompare(b.name),
    render: (g) => (
      <Link href={`/gateways/${g.id}`} className={css.name}>
        <span className={css.strong}>{g.name}</span>
        <span className={`${css.dim} r-mono`}>{g.id}</span>
      </Link>
    ),
  },
  {
    key: 'connection',
    title: 'Connection',
    track: 'minmax(170px, 1.4fr)',
    render: (g) => <Connection gateway={g} />,
  },
  {
    key: 'alarms',
    title: 'Open alarms',
    track: '104px',
    align: 'end',
    compare: (a, b) => b.alarms_open - a.alarms_open,
    render: (g) => <Alarms gateway={g} />,
  },
  {
    key: 'lag',
    title: 'Lag',
    track: '92px',
    align: 'end',
    compare: (a, b) => (b.lag_ms ?? 0) - (a.lag_ms ?? 0),
    render: (g) => (
      <span className={g.connected ? undefined : css.dim}>{g.connected ? lagOf(g) : 'unknown'}</span>
    ),
  },
  {
    key: 'backlog',
    title: 'Backlog',
    track: '104px',
    align: 'end',
    compare: (a, b) => b.backlog_batches - a.backlog_batches,
    render: (g) => <Backlog gateway={g} />,
  },
  {
    key: 'points',
    title: 'Points',
    track: '88px',
    align: 'end',
    wideOnly: true,
    compare: (a, b) => b.points - a.points,
    render: (g) => <Link href={`/points?gateway=${g.id}`}>{formatCount(g.points)}</Link>,
  },
  {
    key: 'version',
    title: 'Version',
    track: '96px',
    align: 'end',
    wideOnly: true,
    compare: (a, b) => a.version.localeCompare(b.version, undefined, { numeric: true }),
    render: (g) => g.version || <span className={css.dim}>unknown</span>,
  },
];

export function GatewaysPage() {
  const gateways = useGateways();
  const [url, setUrl] = useUrl();
  const search = url.get('search') ?? '';
  const all = useMemo(() => gateways.data ?? [], [gateways.data]);
  const shown = useMemo(() => {
    const text = search.trim().toLowerCase();
    return all.filter((g) => `${g.name} ${g.id}`.toLowerCase().includes(text)).sort(worstFirst(serverNow()));
  }, [all, search]);
  const connected = all.filter((g) => g.connected).length;
  return (
    <>
      <PageHeader
        title="Gateways"
        subtitle={gateways.data ? `${formatCount(connected)} of ${formatCount(all.length)} connected` : ' '}
        actions={
          all.length > 8 && (
            <TextInput
              aria-label="Search gateways by name or identity"
              placeholder="Name or identity"
              leftSection={<Search size={16} aria-hidden />}
              type="search"
              value={search}
              onChange={(event) => setUrl({ search: event.currentTarget.value })}
            />
          )
        }
      />
      <Panel flush>
        {gateways.isPending && <BoneRows rows={6} />}
        {gateways.error && !gateways.data && (
          <ErrorState
            what="Gateways could not be fetched"
            message={messageOf(gateways.error)}
            onRetry={() => void gateways.refetch()}
          />
        )}
        {gateways.data && shown.length === 0 && <NoGateways searched={search !== ''} />}
        {shown.length > 0 && (
          <DataTable
            label="Gateways, worst first"
            rows={shown}
            columns={COLUMNS}
            rowKey={(g) => `${g.tenant}/${g.id}`}
            card={(g) => <Card gateway={g} />}
          />
        )}
      </Panel>
    </>
  );
}

function Card({ gateway }: { gateway: Gateway }) {
  const now = useNow();
  return (
    <Link href={`/gateways/${gateway.id}`} className={css.card}>
      <div className={css.cardHead}>
        <span className={css.strong}>{gateway.name}</span>
        <StatusDot state={connectionOf(gateway, now)} />
      </div>
      <div className={css.cardFacts}>
        <span className={gateway.alarms_open > 0 ? css.strong : css.dim}>
          {gateway.alarms_open === 0 ? 'no open alarms' : counted(gateway.alarms_open, 'open alarm')}
        </span>
        <span className={css.dim}>
          {gateway.connected ? (
            `lag ${lagOf(gateway)}`
          ) : gateway.last_seen ? (
            <>
              last heard <Age at={gateway.last_seen} ago />
            </>
          ) : (
            'certificate issued'
          )}
        </span>
      </div>
    </Link>
  );
}

function NoGateways({ searched }: { searched: boolean }) {
  if (searched)
    return (
      <EmptyState title="No gateway matches">
        Look for part of a name or of an identity, such as “gw-0”.
      </EmptyState>
    );
  return (
    <EmptyState title="No gateways yet" icon={Server}>
      Issue a certificate for a gateway on the server with{' '}
      <span className="r-mono">riser-cloud pki issue-gateway</span> and give it to the gateway. It appears
      here when it connects for the first time.
    </EmptyState>
  );
}
