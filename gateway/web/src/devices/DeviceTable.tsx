// Devices with their health: state, last good answer, answer time, errors.
import {
  Age,
  DataTable,
  DEVICE_WORDS,
  formatCount,
  formatNumber,
  Link,
  StatusDot,
  type Column,
  type DeviceHealth,
} from '@riser/kit';
import css from './devices.module.css';

const STATE_ORDER = { offline: 0, degraded: 1, unknown: 2, online: 3 };

function latency(d: DeviceHealth): string {
  if (typeof d.latency_ms !== 'number') return 'unknown';
  return `${formatNumber(d.latency_ms, d.latency_ms < 10 ? 1 : 0)}\u202fms`;
}

const COLUMNS: readonly Column<DeviceHealth>[] = [
  {
    key: 'name',
    title: 'Device',
    track: 'minmax(180px, 2fr)',
    compare: (a, b) => a.name.localeCompare(b.name),
    render: (d) => (
      <Link href={`/devices/${d.device}`} className={css.name}>
        <span className={css.strong}>{d.name}</span>
        <span className={css.dim}>
          {d.adapter}, {d.address}
        </span>
      </Link>
    ),
  },
  {
    key: 'state',
    title: 'State',
    track: '150px',
    compare: (a, b) => STATE_ORDER[a.state] - STATE_ORDER[b.state],
    render: (d) => <StatusDot state={DEVICE_WORDS[d.state]} />,
  },
  {
    key: 'last',
    title: 'Last answer',
    track: '100px',
    align: 'end',
    compare: (a, b) => (b.last_ok ?? 0) - (a.last_ok ?? 0),
    render: (d) => <Age at={d.last_ok} />,
  },
  {
    key: 'latency',
    title: 'Answer time',
    track: '104px',
    align: 'end',
    wideOnly: true,
    compare: (a, b) => (a.latency_ms ?? Infinity) - (b.latency_ms ?? Infinity),
    render: (d) => (
      <span className={typeof d.latency_ms === 'number' ? undefined : css.zero}>{latency(d)}</span>
    ),
  },
  {
    key: 'errors',
    title: 'Errors',
    track: '88px',
    align: 'end',
    compare: (a, b) => a.errors - b.errors,
    render: (d) => <span className={d.errors === 0 ? css.zero : undefined}>{formatCount(d.errors)}</span>,
  },
  {
    key: 'error',
    title: 'Last error',
    track: 'minmax(160px, 2.4fr)',
    render: (d) => (
      <span className={css.error} title={d.last_error ?? undefined}>
        {d.last_error ?? 'none'}
      </span>
    ),
  },
];

export function DeviceTable({ devices, label }: { devices: readonly DeviceHealth[]; label: string }) {
  return (
    <DataTable
      label={label}
      rows={devices}
      columns={COLUMNS}
      rowKey={(d) => d.device}
      card={(d) => (
        <Link href={`/devices/${d.device}`} className={css.cardLink}>
          <div className={css.cardHead}>
            <span className={css.strong}>{d.name}</span>
            <StatusDot state={DEVICE_WORDS[d.state]} />
          </div>
          <div className={css.dim}>
            {d.address}, last answer <Age at={d.last_ok} ago />
            {d.state !== 'online' && d.last_error && <div className={css.wrap}>{d.last_error}</div>}
          </div>
        </Link>
      )}
    />
  );
}
