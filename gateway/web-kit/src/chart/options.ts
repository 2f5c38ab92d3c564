// How uPlot draws a trend: colours of the theme, band between extremes, line of means, markers.
import uPlot from 'uplot';
import { decimalsOfStep, formatNumber } from '../format/number';
import { decimalsFor, stateText } from '../format/value';
import { formatDay, formatSeconds, formatTime } from '../format/time';
import { isDiscrete, verticalRange, type Columns, type TrendPoint } from './series';

export interface Palette {
  text: string;
  line: string;
  series: string;
  band: string;
  marker: Record<MarkerTone, string>;
}

export type MarkerTone = 'critical' | 'high' | 'medium' | 'low' | 'write';

/** Something that happened, on the time axis. */
export interface Marker {
  at: number;
  tone: MarkerTone;
  /** What happened, in words; shown in the table beside the chart. */
  text: string;
}

export function readPalette(element: Element): Palette {
  const style = getComputedStyle(element);
  const token = (name: string) => style.getPropertyValue(name).trim();
  return {
    text: token('--r-text-2'),
    line: token('--r-line'),
    series: token('--r-series'),
    band: token('--r-band'),
    marker: {
      critical: token('--r-critical'),
      high: token('--r-high'),
      medium: token('--r-medium-fill'),
      low: token('--r-low'),
      write: token('--r-accent'),
    },
  };
}

/** Labels of the time axis: seconds when zoomed in, days when far out. */
export function timeLabels(
  _u: uPlot,
  splits: number[],
  _axis: number,
  _space: number,
  step: number,
): string[] {
  let lastDay = '';
  return splits.map((at, index) => {
    const day = formatDay(at);
    const newDay = day !== lastDay && index > 0;
    lastDay = day;
    if (step >= 86_400_000) return day;
    const time = step < 60_000 ? formatSeconds(at) : formatTime(at);
    return newDay ? `${time}\n${day}` : time;
  });
}

function drawMarker(u: uPlot, marker: Marker, colour: string): void {
  const { ctx, bbox } = u;
  const x = Math.round(u.valToPos(marker.at, 'x', true)) + 0.5;
  if (x < bbox.left || x > bbox.left + bbox.width) return;
  const r = 4 * uPlot.pxRatio;
  ctx.strokeStyle = colour;
  ctx.fillStyle = colour;
  ctx.globalAlpha = 0.55;
  ctx.setLineDash([3 * uPlot.pxRatio, 3 * uPlot.pxRatio]);
  ctx.lineWidth = uPlot.pxRatio;
  ctx.beginPath();
  ctx.moveTo(x, bbox.top + r * 2.4);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.globalAlpha = 1;
  ctx.setLineDash([]);
  ctx.beginPath();
  // A write is a downward arrow onto the line, an alarm the diamond of its badge.
  if (marker.tone === 'write') {
    ctx.moveTo(x - r, bbox.top);
    ctx.lineTo(x + r, bbox.top);
    ctx.lineTo(x, bbox.top + r * 1.8);
  } else {
    ctx.moveTo(x, bbox.top - r * 0.2);
    ctx.lineTo(x + r, bbox.top + r);
    ctx.lineTo(x, bbox.top + r * 2.2);
    ctx.lineTo(x - r, bbox.top + r);
  }
  ctx.closePath();
  ctx.fill();
}

interface Live {
  point: TrendPoint;
  palette: Palette;
  /** Read at every drawing, so data and range may change without a new chart. */
  current: () => { columns: Columns; span: { from: number; to: number }; markers: readonly Marker[] };
  onSelect: (from: number, to: number) => void;
  onReset: () => void;
  onCursor: (index: number | null) => void;
}

function axes(point: TrendPoint, palette: Palette, font: string): uPlot.Axis[] {
  const discrete = isDiscrete(point);
  const decimals = decimalsFor(point);
  const shared = { stroke: palette.text, font, ticks: { show: false } };
  return [
    { ...shared, grid: { stroke: palette.line, width: 1 }, values: timeLabels, space: 72, size: 40, gap: 8 },
    {
      ...shared,
      grid: { stroke: palette.line, width: 1 },
      size: (_u, values) => {
        const longest = Math.max(0, ...(values ?? []).map((v) => v.length));
        return Math.min(120, Math.max(44, 16 + longest * 7));
      },
      gap: 8,
      space: 36,
      ...(discrete && {
        splits: (_u: uPlot, _i: number, min: number, max: number) =>
          Array.from({ length: Math.floor(max) - Math.ceil(min) + 1 }, (_, i) => Math.ceil(min) + i),
      }),
      values: (_u, splits) => {
        if (discrete) return splits.map((s) => stateText(point, s));
        const step = Math.abs((splits[1] ?? 1) - (splits[0] ?? 0));
        const needed = step > 0 ? decimalsOfStep(step) : decimals;
        return splits.map((s) => formatNumber(s, needed));
      },
    },
  ];
}

export function chartOptions(live: Live, width: number, height: number, font: string): uPlot.Options {
  const { point, palette } = live;
  const discrete = isDiscrete(point);
  const hidden: uPlot.Series = {
    scale: 'y',
    stroke: 'transparent',
    points: { show: false },
    spanGaps: false,
  };
  return {
    width,
    height,
    ms: 1,
    padding: [10, 22, 0, 0],
    legend: { show: false },
    cursor: {
      x: true,
      y: false,
      drag: { x: true, y: false, setScale: false, dist: 6 },
      points: { size: 8, fill: palette.series },
      bind: {
        dblclick: () => () => {
          live.onReset();
          return null;
        },
      },
    },
    scales: {
      x: { time: true, range: () => [live.current().span.from, live.current().span.to] },
      y: { range: () => verticalRange(live.current().columns, point) },
    },
    axes: axes(point, palette, font),
    series: [
      {},
      hidden,
      hidden,
      {
        scale: 'y',
        stroke: palette.series,
        width: 1.75,
        spanGaps: false,
        points: { size: 4, fill: palette.series },
        ...(discrete && uPlot.paths.stepped && { paths: uPlot.paths.stepped({ align: 1 }) }),
      },
    ],
    ...(!discrete && { bands: [{ series: [2, 1] as [number, number], fill: palette.band }] }),
    hooks: {
      setSelect: [
        (u) => {
          if (u.select.width < 6) return;
          const from = u.posToVal(u.select.left, 'x');
          const to = u.posToVal(u.select.left + u.select.width, 'x');
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          live.onSelect(from, to);
        },
      ],
      setCursor: [(u) => live.onCursor(u.cursor.idx ?? null)],
      draw: [
        (u) => {
          u.ctx.save();
          for (const marker of live.current().markers) drawMarker(u, marker, palette.marker[marker.tone]);
          u.ctx.restore();
        },
      ],
    },
  };
}
