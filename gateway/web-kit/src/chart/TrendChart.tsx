// A point over time on a canvas: band of extremes, line of means, gaps, markers. Owns the uPlot
// instance and the keys; ranges and data are the caller's.
import { useEffect, useLayoutEffect, useMemo, useRef, useState, type KeyboardEvent } from 'react';
import uPlot from 'uplot';
import type { Trend } from '../model';
import { usePaintedScheme } from '../theme/paintedScheme';
import { chartOptions, readPalette, type Marker } from './options';
import { Readout, readoutText } from './Readout';
import { SHORTEST_MS } from './range';
import { columnsOf, type TrendPoint } from './series';
import { attachTouch } from './touch';
import css from './chart.module.css';

export interface TrendChartProps {
  trend: Trend;
  point: TrendPoint;
  /** Name of the point, for assistive technology. */
  name: string;
  span: { from: number; to: number };
  markers: readonly Marker[];
  /** Newest live value, drawn after the last bucket. */
  tip?: { at: number; value: number };
  height?: number;
  onSelect: (from: number, to: number) => void;
  onZoom: (factor: number, around?: number) => void;
  onPan: (part: number) => void;
  onReset: () => void;
}

export function TrendChart(props: TrendChartProps) {
  const { trend, point, span, markers, tip, height = 320 } = props;
  const scheme = usePaintedScheme();
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const [cursor, setCursor] = useState<number | null>(null);
  const columns = useMemo(() => columnsOf(trend, point, tip), [trend, point, tip]);

  // uPlot reads these while drawing; they change far more often than the chart is rebuilt.
  const latest = useRef({ columns, span, markers, props });
  useLayoutEffect(() => {
    latest.current = { columns, span, markers, props };
  });

  useLayoutEffect(() => {
    const element = host.current;
    if (!element) return;
    const font = `12px ${getComputedStyle(element).fontFamily}`;
    const u = new uPlot(
      chartOptions(
        {
          point,
          palette: readPalette(element),
          current: () => latest.current,
          onSelect: (from, to) => latest.current.props.onSelect(from, to),
          onReset: () => latest.current.props.onReset(),
          onCursor: setCursor,
        },
        element.clientWidth,
        height,
        font,
      ),
      latest.current.columns as uPlot.AlignedData,
      element,
    );
    chart.current = u;
    let preview: { from: number; to: number } | null = null;
    const detach = attachTouch(
      u,
      () => latest.current.span,
      (from, to) => {
        if (to - from < SHORTEST_MS) return;
        preview = { from, to };
        latest.current.span = preview;
        u.setData(latest.current.columns as uPlot.AlignedData, true);
      },
      () => {
        if (preview) latest.current.props.onSelect(preview.from, preview.to);
        preview = null;
      },
    );
    const resize = new ResizeObserver(() => u.setSize({ width: element.clientWidth, height }));
    resize.observe(element);
    return () => {
      resize.disconnect();
      detach();
      u.destroy();
      chart.current = null;
    };
  }, [point, height, scheme]);

  useEffect(() => {
    chart.current?.setData(columns as uPlot.AlignedData, true);
  }, [columns, span.from, span.to, markers]);

  const moveCursor = (index: number) => {
    const u = chart.current;
    const at = columns[0][Math.min(Math.max(index, 0), columns[0].length - 1)];
    if (u && at !== undefined) u.setCursor({ left: u.valToPos(at, 'x'), top: 10 });
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const last = columns[0].length - 1;
    const here = cursor ?? last;
    const actions: Record<string, () => void> = {
      ArrowLeft: () => (event.shiftKey ? props.onPan(-0.25) : moveCursor(here - 1)),
      ArrowRight: () => (event.shiftKey ? props.onPan(0.25) : moveCursor(here + 1)),
      PageUp: () => moveCursor(here - 20),
      PageDown: () => moveCursor(here + 20),
      Home: () => moveCursor(0),
      End: () => moveCursor(last),
      '+': () => props.onZoom(0.5, columns[0][here]),
      '-': () => props.onZoom(2, columns[0][here]),
      Escape: () => props.onReset(),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  };

  return (
    <div>
      <Readout columns={columns} point={point} index={cursor} />
      <div
        ref={host}
        className={css.canvas}
        style={{ minHeight: height }}
        role="slider"
        tabIndex={0}
        aria-label={`Trend of ${props.name}. Arrow keys read values, plus and minus zoom, Escape resets.`}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, columns[0].length - 1)}
        aria-valuenow={cursor ?? Math.max(0, columns[0].length - 1)}
        aria-valuetext={readoutText(columns, point, cursor)}
        onKeyDown={onKeyDown}
      />
    </div>
  );
}
