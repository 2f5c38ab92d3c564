// A trend with everything around it: range choice, zoom, chart or table, export.
import { ActionIcon, Tooltip } from '@mantine/core';
import { ChartLine, ChevronLeft, ChevronRight, Download, Sheet, X, ZoomIn, ZoomOut } from 'lucide-react';
import { useState, type ReactNode } from 'react';
import { serverNow } from '../clock';
import { formatSpan, formatWhen } from '../format/time';
import type { Trend } from '../model';
import { BoneBlock } from '../states/Bones';
import { EmptyState, ErrorState } from '../states/states';
import { useIsPhone } from '../table/DataTable';
import { Choices } from '../shell/Choices';
import type { Marker } from './options';
import { CHOICES, shifted, zoomed, type TrendRange } from './range';
import type { TrendPoint } from './series';
import { TrendChart } from './TrendChart';
import { TrendTable } from './TrendTable';
import css from './chart.module.css';

export interface TrendPanelProps {
  name: string;
  point: TrendPoint;
  range: TrendRange;
  onRange: (range: TrendRange) => void;
  trend: Trend | undefined;
  /** The range the trend shows; follows the clock for `last`. */
  span: { from: number; to: number };
  error: string | null;
  onRetry: () => void;
  markers: readonly Marker[];
  tip?: { at: number; value: number };
  onExport: () => void;
}

const DESK_HEIGHT = 384;
const PHONE_HEIGHT = 280;

function Tool({ label, onClick, children }: { label: string; onClick: () => void; children: ReactNode }) {
  return (
    <Tooltip label={label}>
      <ActionIcon aria-label={label} onClick={onClick}>
        {children}
      </ActionIcon>
    </Tooltip>
  );
}

export function TrendPanel(props: TrendPanelProps) {
  const { range, span, onRange, trend } = props;
  const [asTable, setAsTable] = useState(false);
  const [home, setHome] = useState<TrendRange>(range);
  if (range.kind === 'last' && range !== home) setHome(range);

  const choice = range.kind === 'last' ? (CHOICES.find((c) => c.ms === range.ms)?.key ?? '') : '';
  const reset = () => onRange(home.kind === 'last' ? home : { kind: 'last', ms: 3_600_000 });
  const zoom = (factor: number, around?: number) => onRange(zoomed(span, factor, around));
  const pan = (part: number) => onRange(shifted(span, part, serverNow()));

  return (
    <section className={css.panel} aria-label="Trend">
      <div className={css.tools}>
        <Choices
          label="Range"
          value={choice}
          onChange={(key) =>
            onRange({ kind: 'last', ms: CHOICES.find((c) => c.key === key)?.ms ?? 3_600_000 })
          }
          choices={CHOICES.map((c) => ({ value: c.key, label: c.label }))}
        />
        <div className={css.icons}>
          <Tool label="Earlier" onClick={() => pan(-0.5)}>
            <ChevronLeft size={18} />
          </Tool>
          <Tool label="Later" onClick={() => pan(0.5)}>
            <ChevronRight size={18} />
          </Tool>
          <Tool label="Zoom in" onClick={() => zoom(0.5)}>
            <ZoomIn size={18} />
          </Tool>
          <Tool label="Zoom out" onClick={() => zoom(2)}>
            <ZoomOut size={18} />
          </Tool>
          <Tool label={asTable ? 'Show as chart' : 'Show as table'} onClick={() => setAsTable(!asTable)}>
            {asTable ? <ChartLine size={18} /> : <Sheet size={18} />}
          </Tool>
          <Tool label="Export samples as CSV" onClick={props.onExport}>
            <Download size={18} />
          </Tool>
        </div>
      </div>
      {range.kind === 'fixed' && (
        <div className={css.zoomed}>
          <span>
            {formatWhen(span.from, serverNow())} – {formatWhen(span.to, serverNow())},{' '}
            {formatSpan(span.to - span.from)}
          </span>
          <button type="button" className={css.reset} onClick={reset}>
            <X size={14} aria-hidden /> Back to live
          </button>
        </div>
      )}
      <RolledUp stretches={trend?.rolled_up ?? []} />
      <div className={css.body}>
        <TrendBody {...props} asTable={asTable} onZoom={zoom} onPan={pan} onReset={reset} trend={trend} />
      </div>
    </section>
  );
}

/** Says that part of the range is drawn from figures of whole minutes. */
function RolledUp({ stretches }: { stretches: NonNullable<Trend['rolled_up']> }) {
  const [first, last] = [stretches[0], stretches[stretches.length - 1]];
  if (!first || !last) return null;
  const ms = stretches.reduce((sum, stretch) => sum + stretch.to - stretch.from, 0);
  return (
    <p className={css.rolled} role="note">
      <strong>Rolled up:</strong> {formatSpan(ms)} between {formatWhen(first.from, serverNow())} and{' '}
      {formatWhen(last.to, serverNow())}. Single values wait at the gateway for a better line.
    </p>
  );
}

interface BodyProps extends TrendPanelProps {
  asTable: boolean;
  onZoom: (factor: number, around?: number) => void;
  onPan: (part: number) => void;
  onReset: () => void;
}

function TrendBody(props: BodyProps) {
  const { trend, error, point, span, markers } = props;
  const height = useIsPhone() ? PHONE_HEIGHT : DESK_HEIGHT;
  if (error && !trend)
    return <ErrorState what="The trend could not be fetched" message={error} onRetry={props.onRetry} />;
  if (point.kind === 'text') {
    return <EmptyState title="Text has no trend">The export lists every text with its time.</EmptyState>;
  }
  if (!trend) return <BoneBlock height={height + 24} />;
  if (trend.buckets.length === 0 && !props.tip) {
    return (
      <EmptyState title="No values in this range" icon={ChartLine}>
        Nothing usable was recorded between {formatWhen(span.from, serverNow())} and{' '}
        {formatWhen(span.to, serverNow())}. Choose a longer range, or look at the device if values should be
        there.
      </EmptyState>
    );
  }
  if (props.asTable) return <TrendTable trend={trend} point={point} markers={markers} />;
  return (
    <TrendChart
      trend={trend}
      point={point}
      name={props.name}
      span={span}
      markers={markers}
      tip={props.tip}
      height={height}
      onSelect={(from, to) => props.onRange({ kind: 'fixed', from, to })}
      onZoom={props.onZoom}
      onPan={props.onPan}
      onReset={props.onReset}
    />
  );
}
