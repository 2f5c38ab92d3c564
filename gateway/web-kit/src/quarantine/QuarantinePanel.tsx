// Batches that will not be sent again, each with its reason and its octets to take away. Owns how they
// look; whoever shows it fetches them. Nothing in quarantine shows nothing.
import { Download } from 'lucide-react';
import { counted, formatCount } from '../format/number';
import { formatStamp } from '../format/time';
import { messageOf } from '../problem';
import { Panel } from '../shell/Page';
import { ErrorState } from '../states/states';
import { DataTable, type Column } from '../table/DataTable';
import css from './QuarantinePanel.module.css';

export interface QuarantinedRow {
  key: string;
  /** When it was put aside, in milliseconds since 1970. */
  at: number;
  /** What it is, such as `data 4711`. */
  what: string;
  /** How many samples, where known. */
  samples?: number | null;
  reason: string;
  /** Where its octets are, or how to fetch them; neither when only the reason is kept. */
  href?: string;
  onTake?: () => void;
}

function What({ row }: { row: QuarantinedRow }) {
  const label = `Take away the octets of ${row.what}`;
  const face = (
    <>
      {row.what} <Download size={14} aria-hidden />
    </>
  );
  if (row.href)
    return (
      <a className={css.take} href={row.href} download aria-label={label} title={label}>
        {face}
      </a>
    );
  if (row.onTake)
    return (
      <button type="button" className={css.take} onClick={row.onTake} aria-label={label} title={label}>
        {face}
      </button>
    );
  return <span className={css.figure}>{row.what}</span>;
}

const knows = (row: QuarantinedRow) => typeof row.samples === 'number';
const samplesOf = (row: QuarantinedRow) => (knows(row) ? formatCount(row.samples ?? 0) : 'not known');

/** `the body …` begins a line. */
const begin = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const AT: Column<QuarantinedRow> = {
  key: 'at',
  title: 'Put aside',
  track: '170px',
  compare: (a, b) => a.at - b.at,
  render: (row) => <span className={css.figure}>{formatStamp(row.at)}</span>,
};
const WHAT: Column<QuarantinedRow> = {
  key: 'what',
  title: 'Batch',
  track: 'minmax(120px, 0.7fr)',
  render: (row) => <What row={row} />,
};
const SAMPLES: Column<QuarantinedRow> = {
  key: 'samples',
  title: 'Samples',
  track: '90px',
  align: 'end',
  render: (row) => <span className={css.figure}>{samplesOf(row)}</span>,
};
const REASON: Column<QuarantinedRow> = {
  key: 'reason',
  title: 'Reason',
  track: 'minmax(200px, 3fr)',
  render: (row) => <span className={css.reason}>{begin(row.reason)}</span>,
};

function Card({ row }: { row: QuarantinedRow }) {
  return (
    <div className={css.card}>
      <div className={css.cardHead}>
        <What row={row} />
        {knows(row) && <span className={css.quiet}>{counted(row.samples ?? 0, 'sample')}</span>}
      </div>
      <span className={css.reason}>{begin(row.reason)}</span>
      <span className={css.quiet}>Put aside {formatStamp(row.at)}</span>
    </div>
  );
}

interface QuarantinePanelProps {
  total: number;
  rows: readonly QuarantinedRow[];
  /** Why they could not be fetched, if so. */
  error: unknown;
  onRetry: () => void;
}

export function QuarantinePanel({ total, rows, error, onRetry }: QuarantinePanelProps) {
  if (total === 0 && !error) return null;
  if (total === 0)
    return (
      <Panel title="Quarantine">
        <ErrorState
          what="Batches in quarantine could not be fetched"
          message={messageOf(error)}
          onRetry={onRetry}
        />
      </Panel>
    );
  const columns = rows.some(knows) ? [AT, WHAT, SAMPLES, REASON] : [AT, WHAT, REASON];
  const shown = rows.length < total ? ` The newest ${formatCount(rows.length)} are shown.` : '';
  return (
    <Panel title="Quarantine" aside={counted(total, 'batch', 'batches')} flush>
      <p className={css.lead}>
        Damaged, or not to be understood by the cloud. They are kept and not sent again; everything else flows
        on.{shown}
      </p>
      <DataTable
        label="Batches in quarantine"
        rows={rows}
        columns={columns}
        rowKey={(row) => row.key}
        card={(row) => <Card row={row} />}
      />
    </Panel>
  );
}
