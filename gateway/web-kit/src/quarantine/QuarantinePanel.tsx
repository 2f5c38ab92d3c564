// Batches that will not be sent again, each with its reason and its octets to take away. Owns how they
// look; whoever shows it fetches them. Nothing in quarantine shows nothing.
import { formatCount } from '../format/number';
import { Panel } from '../shell/Page';
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
  /** Where its octets are; none when only the reason is kept. */
  href?: string;
}

const stamp = (at: number) => new Date(at).toISOString().replace('T', ' ').slice(0, 19);

function What({ row }: { row: QuarantinedRow }) {
  if (!row.href) return <span className={css.figure}>{row.what}</span>;
  return (
    <a className={css.figure} href={row.href} download>
      {row.what}
    </a>
  );
}

const samplesOf = (row: QuarantinedRow) =>
  row.samples === null || row.samples === undefined ? '–' : formatCount(row.samples);

const COLUMNS: readonly Column<QuarantinedRow>[] = [
  {
    key: 'at',
    title: 'Put aside (UTC)',
    track: '170px',
    compare: (a, b) => a.at - b.at,
    render: (row) => <span className={css.figure}>{stamp(row.at)}</span>,
  },
  { key: 'what', title: 'Batch', track: 'minmax(110px, 0.7fr)', render: (row) => <What row={row} /> },
  {
    key: 'samples',
    title: 'Samples',
    track: '90px',
    align: 'end',
    render: (row) => <span className={css.figure}>{samplesOf(row)}</span>,
  },
  {
    key: 'reason',
    title: 'Reason',
    track: 'minmax(200px, 3fr)',
    render: (row) => <span className={css.reason}>{row.reason}</span>,
  },
];

export function QuarantinePanel({ total, rows }: { total: number; rows: readonly QuarantinedRow[] }) {
  if (total === 0) return null;
  const shown = rows.length < total ? `, the newest ${formatCount(rows.length)} shown` : '';
  return (
    <Panel title={`Quarantine: ${formatCount(total)} batches the cloud could not use${shown}`} flush>
      <DataTable
        label="Batches in quarantine"
        rows={rows}
        columns={COLUMNS}
        rowKey={(row) => row.key}
        card={(row) => (
          <div className={css.card}>
            <div className={css.cardHead}>
              <What row={row} />
              <span className={css.figure}>{stamp(row.at)}</span>
            </div>
            <span className={css.reason}>{row.reason}</span>
          </div>
        )}
      />
    </Panel>
  );
}
