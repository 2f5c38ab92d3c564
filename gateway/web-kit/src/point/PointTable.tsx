// Points as a list, live while on screen: name, value, place within limits, quality, age.
import { PenLine } from 'lucide-react';
import { useMemo } from 'react';
import { Link } from '../link';
import { newest, useLiveReading } from '../live/LiveProvider';
import type { PointView, Reading } from '../model';
import { DataTable, type Column } from '../table/DataTable';
import { Age } from '../value/Age';
import { LimitsBar } from '../value/LimitsBar';
import { QualityBadge } from '../value/QualityBadge';
import { Value } from '../value/Value';
import css from './point.module.css';

interface PointTableProps {
  label: string;
  points: readonly PointView[];
  total?: number;
  onEnd?: () => void;
  href: (point: PointView) => string;
  /** The point's key on the live stream. */
  liveKey: (point: PointView) => string;
  onWhy: (point: PointView) => void;
  /** Where all are of one device, its name need not stand on every row. */
  hideDevice?: boolean;
}

interface LiveProps {
  point: PointView;
  liveKey: string;
}

function useReading({ point, liveKey }: LiveProps): Reading {
  return newest(point, useLiveReading(liveKey));
}

function LiveValue({ onWhy, inline, ...live }: LiveProps & { onWhy: () => void; inline?: boolean }) {
  return (
    <Value
      point={live.point}
      reading={useReading(live)}
      reason={inline ? 'inline' : 'spoken'}
      onWhy={onWhy}
    />
  );
}

function LiveQuality(live: LiveProps) {
  return <QualityBadge quality={useReading(live).quality} />;
}

function LiveAge(live: LiveProps) {
  return <Age at={useReading(live).at} />;
}

function LiveLimits(live: LiveProps) {
  return <LimitsBar point={live.point} reading={useReading(live)} />;
}

function valueOrder(p: PointView): number {
  return p.value === null || p.value === undefined ? Number.NEGATIVE_INFINITY : Number(p.value);
}

const LEVEL_ORDER = { bad: 0, uncertain: 1, good: 2 };

export function PointTable(props: PointTableProps) {
  const { href, liveKey, onWhy, hideDevice = false } = props;
  const columns = useMemo<Column<PointView>[]>(
    () => [
      {
        key: 'name',
        title: 'Point',
        track: 'minmax(200px, 2.2fr)',
        compare: (a, b) => a.name.localeCompare(b.name),
        render: (p) => (
          <Link href={href(p)} className={css.name}>
            <span className={css.primary}>
              {p.name}
              {p.access !== 'read' && <PenLine size={13} className={css.pen} aria-label="can be written" />}
            </span>
            <span className={`${css.secondary} r-mono`}>{p.path}</span>
          </Link>
        ),
      },
      ...(hideDevice
        ? []
        : [
            {
              key: 'device',
              title: 'Device',
              track: 'minmax(120px, 1.2fr)',
              compare: (a: PointView, b: PointView) => a.device_name.localeCompare(b.device_name),
              render: (p: PointView) => <span className={css.clip}>{p.device_name}</span>,
            },
          ]),
      {
        key: 'value',
        title: 'Value',
        track: 'minmax(130px, 1fr)',
        align: 'end',
        compare: (a, b) => valueOrder(a) - valueOrder(b),
        render: (p) => <LiveValue point={p} liveKey={liveKey(p)} onWhy={() => onWhy(p)} />,
      },
      {
        key: 'limits',
        title: 'In range',
        track: '84px',
        wideOnly: true,
        render: (p) => <LiveLimits point={p} liveKey={liveKey(p)} />,
      },
      {
        key: 'quality',
        title: 'Quality',
        track: '132px',
        compare: (a, b) => LEVEL_ORDER[a.quality.level] - LEVEL_ORDER[b.quality.level],
        render: (p) => <LiveQuality point={p} liveKey={liveKey(p)} />,
      },
      {
        key: 'age',
        title: 'Age',
        track: '64px',
        align: 'end',
        compare: (a, b) => (b.at ?? 0) - (a.at ?? 0),
        render: (p) => <LiveAge point={p} liveKey={liveKey(p)} />,
      },
    ],
    [href, liveKey, onWhy, hideDevice],
  );
  return (
    <DataTable
      label={props.label}
      rows={props.points}
      columns={columns}
      rowKey={(p) => p.path}
      total={props.total}
      onEnd={props.onEnd}
      card={(p) => (
        <div className={css.card}>
          <Link href={href(p)} className={css.cardName}>
            <span className={css.primary}>{p.name}</span>
            <span className={css.secondary}>
              {hideDevice ? <span className="r-mono">{p.path}</span> : p.device_name}
            </span>
          </Link>
          <div className={css.cardValue}>
            <LiveValue point={p} liveKey={liveKey(p)} onWhy={() => onWhy(p)} inline />
            <span className={css.cardAge}>
              <LiveAge point={p} liveKey={liveKey(p)} />
            </span>
          </div>
        </div>
      )}
    />
  );
}
