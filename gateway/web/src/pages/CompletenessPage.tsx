// Completeness: what became of every sample, per lane and hour or day. The numbers add up, or it says so.
import {
  BoneRows,
  Choices,
  counted,
  DataTable,
  EmptyState,
  ErrorState,
  formatCount,
  messageOf,
  PageHeader,
  Panel,
  QuarantinePanel,
  type Column,
} from '@riser/kit';
import { quarantinedFrameHref, type LedgerRow } from '../api/calls';
import { useLedger, useQuarantine } from '../api/queries';
import { RECORDS } from '../trail';
import css from './CompletenessPage.module.css';
import { useUrl } from '../useUrl';

const STEPS = [
  { value: '', label: 'By hour, 2 days' },
  { value: 'day', label: 'By day, 90 days' },
];

const REASONS: readonly [keyof LedgerRow['dropped'], string][] = [
  ['queue_full', 'the disk did not keep up'],
  ['disk', 'the disk refused them'],
  ['crash', 'in memory at a crash'],
  ['retention', 'their day had to go before the cloud had it'],
  ['damaged', 'their file was damaged'],
  ['refused', 'refused by the cloud'],
];

const why = (row: LedgerRow) =>
  REASONS.filter(([key]) => row.dropped[key] > 0)
    .map(([key, words]) => `${formatCount(row.dropped[key])} ${words}`)
    .join('; ');

const droppedOf = (row: LedgerRow) => REASONS.reduce((sum, [key]) => sum + row.dropped[key], 0);
const waitingOf = (row: LedgerRow) => row.waiting_disk + row.waiting_cloud;

const stamp = (at: number, daily: boolean) =>
  new Date(at)
    .toISOString()
    .replace('T', ' ')
    .slice(0, daily ? 10 : 16);

function Count({ n, bad = false }: { n: number; bad?: boolean }) {
  return <span className={n === 0 ? css.zero : bad ? css.bad : undefined}>{formatCount(n)}</span>;
}

function Gap({ row }: { row: LedgerRow }) {
  if (row.unexplained === 0) return <span className={css.zero}>adds up</span>;
  return <strong className={css.gap}>▲ {formatCount(row.unexplained)} missing</strong>;
}

const figure = (
  key: string,
  title: string,
  of: (row: LedgerRow) => number,
  wideOnly = false,
): Column<LedgerRow> => ({
  key,
  title,
  track: key === 'waiting' || key === 'dropped' ? 'minmax(64px, 0.6fr)' : 'minmax(76px, 0.8fr)',
  wideOnly,
  align: 'end',
  compare: (a, b) => of(a) - of(b),
  render: (row) => <Count n={of(row)} bad={key === 'dropped'} />,
});

const columns = (daily: boolean): Column<LedgerRow>[] => [
  {
    key: 'hour',
    title: daily ? 'Day (UTC)' : 'Hour (UTC)',
    track: '136px',
    compare: (a, b) => a.hour - b.hour,
    render: (row) => <span className={css.when}>{stamp(row.hour, daily)}</span>,
  },
  {
    key: 'lane',
    title: 'Lane',
    track: 'minmax(110px, 2fr)',
    compare: (a, b) => a.lane.localeCompare(b.lane),
    render: (row) => (
      <span className={css.lane}>
        <span className="r-mono">{row.lane || 'not on a lane'}</span>
        {why(row) && <span className={css.why}>{why(row)}</span>}
      </span>
    ),
  },
  figure('collected', 'Collected', (row) => row.collected),
  figure('stored', 'Stored', (row) => row.stored),
  figure('sent', 'Sent', (row) => row.sent, true),
  figure('durable', 'In the cloud', (row) => row.durable),
  figure('waiting', 'Waiting', waitingOf),
  figure('dropped', 'Dropped', droppedOf),
  {
    key: 'unexplained',
    title: 'Unexplained',
    track: '118px',
    align: 'end',
    compare: (a, b) => a.unexplained - b.unexplained,
    render: (row) => <Gap row={row} />,
  },
];

const HOURLY = columns(false);
const DAILY = columns(true);

function Card({ row, daily }: { row: LedgerRow; daily: boolean }) {
  return (
    <div className={css.card}>
      <div className={css.cardHead}>
        <span className={css.when}>{stamp(row.hour, daily)}</span>
        <Gap row={row} />
      </div>
      <span className="r-mono">{row.lane || 'not on a lane'}</span>
      <div className={css.why}>
        {formatCount(row.collected)} collected, {formatCount(row.stored)} stored, {formatCount(row.durable)}{' '}
        in the cloud, {formatCount(waitingOf(row))} waiting, {formatCount(droppedOf(row))} dropped
        {why(row) && <div>{why(row)}</div>}
      </div>
    </div>
  );
}

function Verdict({ rows }: { rows: readonly LedgerRow[] }) {
  const gap = rows.reduce((sum, row) => sum + row.unexplained, 0);
  const dropped = rows.reduce((sum, row) => sum + droppedOf(row), 0);
  const collected = rows.reduce((sum, row) => sum + row.collected, 0);
  return (
    <p className={css.verdict}>
      {counted(collected, 'sample')} collected, {dropped === 0 ? 'none' : formatCount(dropped)} dropped
      {dropped > 0 && ', each with a reason'}.{' '}
      {gap === 0 ? (
        'Every one is accounted for.'
      ) : (
        <strong className={css.gap}>▲ {counted(gap, 'sample')} nobody can account for.</strong>
      )}
    </p>
  );
}

function Aside() {
  const { data, error, refetch } = useQuarantine();
  const rows = (data?.batches ?? []).map((batch) => ({
    key: `${batch.epoch} ${batch.stream} ${batch.seq}`,
    at: batch.at,
    what: `${batch.stream} ${batch.seq}`,
    samples: batch.samples,
    reason: batch.reason,
    href: typeof batch.octets === 'number' ? quarantinedFrameHref(batch) : undefined,
  }));
  return (
    <QuarantinePanel total={data?.total ?? 0} rows={rows} error={error} onRetry={() => void refetch()} />
  );
}

export default function CompletenessPage() {
  const [url, setUrl] = useUrl();
  const daily = url.get('by') === 'day';
  const ledger = useLedger(daily);
  const rows = ledger.data?.rows ?? [];
  const newest = [...rows].reverse();
  return (
    <>
      <PageHeader title="Completeness" trail={RECORDS} subtitle="What became of every sample" />
      <div className={css.filters}>
        <Choices label="Step" value={daily ? 'day' : ''} onChange={(by) => setUrl({ by })} choices={STEPS} />
      </div>
      <div className={css.stack}>
        {ledger.isPending && (
          <Panel flush>
            <BoneRows />
          </Panel>
        )}
        {ledger.error && !ledger.data && (
          <Panel>
            <ErrorState
              what="The loss ledger could not be fetched"
              message={messageOf(ledger.error)}
              onRetry={() => void ledger.refetch()}
            />
          </Panel>
        )}
        {ledger.data && rows.length === 0 && (
          <Panel>
            <EmptyState title="Nothing was collected in this time">
              As soon as a device is read, each hour appears here with what became of its samples.
            </EmptyState>
          </Panel>
        )}
        {rows.length > 0 && <Verdict rows={rows} />}
        {rows.length > 0 && (
          <Panel flush>
            <DataTable
              label="Loss ledger"
              rows={newest}
              columns={daily ? DAILY : HOURLY}
              rowKey={(row) => `${row.hour} ${row.lane}`}
              card={(row) => <Card row={row} daily={daily} />}
            />
          </Panel>
        )}
        <Aside />
      </div>
    </>
  );
}
