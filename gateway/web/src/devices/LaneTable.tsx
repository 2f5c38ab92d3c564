// Lanes with what tells how well they keep up: busy share, time-outs, late scans.
import {
  counted,
  DataTable,
  formatCount,
  formatShare,
  LANE_WORDS,
  StatusDot,
  type Column,
  type LaneHealth,
} from '@riser/kit';
import css from './devices.module.css';

/** A lane this busy has no room left for a slow device. */
const NEARLY_FULL = 0.85;

export function Utilisation({ lane }: { lane: LaneHealth }) {
  const full = lane.utilisation >= NEARLY_FULL;
  return (
    <span className={css.utilisation} title="Part of the time a request was outstanding">
      <span className={css.track} aria-hidden>
        <span
          className={full ? css.full : css.fill}
          style={{ width: `${Math.min(100, lane.utilisation * 100)}%` }}
        />
      </span>
      <span className={css.figure}>{formatShare(lane.utilisation)}</span>
    </span>
  );
}

function Figure({ count, title }: { count: number; title: string }) {
  return (
    <span className={count === 0 ? css.zero : undefined} title={title}>
      {formatCount(count)}
    </span>
  );
}

const COLUMNS: readonly Column<LaneHealth>[] = [
  {
    key: 'lane',
    title: 'Lane',
    track: 'minmax(180px, 2fr)',
    compare: (a, b) => a.lane.localeCompare(b.lane),
    render: (l) => (
      <span className={css.two}>
        <span className="r-mono">{l.lane}</span>
        <span className={css.dim}>{l.adapter}</span>
      </span>
    ),
  },
  { key: 'state', title: 'State', track: '120px', render: (l) => <StatusDot state={LANE_WORDS[l.state]} /> },
  {
    key: 'busy',
    title: 'Busy',
    track: '150px',
    compare: (a, b) => a.utilisation - b.utilisation,
    render: (l) => <Utilisation lane={l} />,
  },
  {
    key: 'requests',
    title: 'Requests',
    track: '110px',
    align: 'end',
    wideOnly: true,
    compare: (a, b) => a.requests - b.requests,
    render: (l) => <Figure count={l.requests} title="Requests sent since start" />,
  },
  {
    key: 'timeouts',
    title: 'Time-outs',
    track: '96px',
    align: 'end',
    compare: (a, b) => a.timeouts - b.timeouts,
    render: (l) => <Figure count={l.timeouts} title="Requests that timed out since start" />,
  },
  {
    key: 'overruns',
    title: 'Late scans',
    track: '96px',
    align: 'end',
    wideOnly: true,
    compare: (a, b) => a.overruns - b.overruns,
    render: (l) => <Figure count={l.overruns} title="Scans that began later than one whole interval" />,
  },
  {
    key: 'error',
    title: 'Last error',
    track: 'minmax(160px, 2.4fr)',
    render: (l) => (
      <span className={css.error} title={l.last_error ?? undefined}>
        {l.last_error ?? 'none'}
      </span>
    ),
  },
];

export function LaneTable({ lanes }: { lanes: readonly LaneHealth[] }) {
  return (
    <DataTable
      label="Lanes"
      rows={lanes}
      columns={COLUMNS}
      rowKey={(l) => l.lane}
      card={(l) => (
        <div className={css.card}>
          <div className={css.cardHead}>
            <span className="r-mono">{l.lane}</span>
            <StatusDot state={LANE_WORDS[l.state]} />
          </div>
          <Utilisation lane={l} />
          <div className={css.dim}>
            {counted(l.timeouts, 'time-out')}, {counted(l.overruns, 'late scan')}
            {l.last_error && <div className={css.wrap}>{l.last_error}</div>}
          </div>
        </div>
      )}
    />
  );
}
