// The trend as a table: the same figures for whoever reads rather than sees, markers included.
import { useMemo } from 'react';
import { formatStamp } from '../format/time';
import { valueSentence } from '../format/value';
import type { Bucket, Trend } from '../model';
import { DataTable, type Column } from '../table/DataTable';
import { isDiscrete, type TrendPoint } from './series';
import type { Marker } from './options';
import css from './chart.module.css';

type Line = { at: number; bucket: Bucket } | { at: number; marker: Marker };

export function TrendTable({
  trend,
  point,
  markers,
}: {
  trend: Trend;
  point: TrendPoint;
  markers: readonly Marker[];
}) {
  const lines = useMemo<Line[]>(
    () =>
      [
        ...trend.buckets.map((bucket) => ({ at: bucket.at, bucket })),
        ...markers
          .filter((m) => m.at >= trend.from && m.at < trend.to)
          .map((marker) => ({ at: marker.at, marker })),
      ].sort((a, b) => b.at - a.at),
    [trend, markers],
  );
  const columns = useMemo<Column<Line>[]>(() => {
    const figure = (key: 'mean' | 'min' | 'max' | 'last', title: string): Column<Line> => ({
      key,
      title,
      track: 'minmax(84px, 1fr)',
      align: 'end',
      render: (line) => ('bucket' in line ? valueSentence(point, line.bucket[key]) : ''),
    });
    const figures = isDiscrete(point)
      ? [figure('last', 'State')]
      : [figure('mean', 'Mean'), figure('min', 'Min'), figure('max', 'Max')];
    return [
      {
        key: 'at',
        title: 'Time',
        track: 'minmax(184px, 1fr)',
        render: (line) => <span className="r-numbers">{formatStamp(line.at)}</span>,
      },
      ...figures,
      {
        key: 'count',
        title: 'Samples',
        track: '84px',
        align: 'end',
        render: (line) =>
          'bucket' in line ? `${line.bucket.count}${line.bucket.bad ? `, ${line.bucket.bad} bad` : ''}` : '',
      },
      {
        key: 'marker',
        title: 'Happened',
        track: 'minmax(120px, 2fr)',
        render: (line) => ('marker' in line ? line.marker.text : ''),
      },
    ];
  }, [point]);
  return (
    <div className={css.tableFrame}>
      <DataTable
        label="Trend as a table, newest first"
        rows={lines}
        columns={columns}
        rowKey={(line) => ('marker' in line ? `m${line.at}${line.marker.text}` : String(line.at))}
        card={(line) => (
          <div className={css.tableCard}>
            <span className="r-numbers">{formatStamp(line.at)}</span>
            <span>
              {'marker' in line
                ? line.marker.text
                : valueSentence(point, isDiscrete(point) ? line.bucket.last : line.bucket.mean)}
            </span>
          </div>
        )}
      />
    </div>
  );
}
