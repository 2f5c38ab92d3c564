// One point: its value and why, its trend, writing it and what came of earlier writes.
import { Button } from '@mantine/core';
import {
  BoneBlock,
  EmptyState,
  ErrorState,
  messageOf,
  PageHeader,
  Panel,
  parseRange,
  PointHead,
  rangeParams,
  resolveRange,
  TrendPanel,
  useNow,
  usePointReading,
  WHO_CAN_OPERATE,
  Why,
  WriteDialog,
  WriteHistory,
  type WriteRequest,
} from '@riser/kit';
import { PenLine } from 'lucide-react';
import { useCallback, useMemo, useState } from 'react';
import { csvHref, getCommand, writePoint, type PointDetail } from '../api/calls';
import { useCommands, usePoint, useTrend } from '../api/queries';
import { useMarkers } from '../points/useMarkers';
import { useMay } from '../session/session';
import { useUrl } from '../useUrl';
import css from './PointPage.module.css';

export default function PointPage({ path }: { path: string }) {
  const point = usePoint(path);
  if (point.data) return <Loaded path={path} detail={point.data} />;
  return (
    <>
      <PageHeader title={path} trail={[{ href: '/points', label: 'Points' }]} />
      <Panel>
        {point.error ? (
          <ErrorState
            what={`The point ${path} could not be fetched`}
            message={messageOf(point.error)}
            onRetry={() => void point.refetch()}
          />
        ) : (
          <BoneBlock height={480} />
        )}
      </Panel>
    </>
  );
}

function Loaded({ path, detail }: { path: string; detail: PointDetail }) {
  const { view } = detail;
  const reading = usePointReading(view, path);
  const mayWrite = useMay('write');
  const writable = view.access !== 'read';
  const device = path.split('/')[0] ?? '';
  const [writing, setWriting] = useState(false);
  const send = useCallback((request: WriteRequest) => writePoint(path, request), [path]);
  return (
    <>
      <PageHeader
        title={view.name}
        trail={[
          { href: '/devices', label: 'Devices' },
          { href: `/devices/${device}`, label: view.device_name },
        ]}
        subtitle={<span className="r-mono">{path}</span>}
        actions={
          writable &&
          mayWrite && (
            <Button leftSection={<PenLine size={16} aria-hidden />} onClick={() => setWriting(true)}>
              Write
            </Button>
          )
        }
      />
      <div className={css.grid}>
        <div className={css.side}>
          <Panel>
            <PointHead point={view} reading={reading} />
          </Panel>
          <Panel title="Why it shows this" className={css.why}>
            <Why point={view} reading={reading} background={detail} deviceHref={`/devices/${device}`} />
            {writable && !mayWrite && (
              <p className={css.note}>Your role cannot write this point. {WHO_CAN_OPERATE}</p>
            )}
          </Panel>
        </div>
        <div className={css.main}>
          <Panel flush>
            <Trend path={path} detail={detail} />
          </Panel>
          {writable && <Writes path={path} detail={detail} />}
        </div>
      </div>
      <WriteDialog
        point={view}
        reading={reading}
        levels={detail.priority_array}
        opened={writing}
        onClose={() => setWriting(false)}
        send={send}
        ask={getCommand}
      />
    </>
  );
}

function Trend({ path, detail }: { path: string; detail: PointDetail }) {
  const { view } = detail;
  const [url, setUrl] = useUrl();
  const text = url.toString();
  const range = useMemo(() => parseRange(new URLSearchParams(text)), [text]);
  const trend = useTrend(path, range);
  const now = useNow();
  const span = resolveRange(range, now);
  const markers = useMarkers(path, view);
  const reading = usePointReading(view, path);
  const tip = useMemo(() => {
    if (range.kind === 'fixed' || reading.quality.level === 'bad' || !reading.at) return undefined;
    const value = typeof reading.value === 'boolean' ? Number(reading.value) : reading.value;
    return typeof value === 'number' ? { at: reading.at, value } : undefined;
  }, [range.kind, reading]);
  return (
    <TrendPanel
      name={view.name}
      point={view}
      range={range}
      onRange={(next) => setUrl(rangeParams(next))}
      trend={trend.data}
      span={span}
      error={trend.error ? messageOf(trend.error) : null}
      onRetry={() => void trend.refetch()}
      markers={markers}
      tip={tip}
      onExport={() => location.assign(csvHref(path, Math.round(span.from), Math.round(span.to)))}
    />
  );
}

function Writes({ path, detail }: { path: string; detail: PointDetail }) {
  const commands = useCommands(path);
  return (
    <Panel title="Writes" flush className={css.writes}>
      {commands.isPending && <BoneBlock height={96} />}
      {commands.error && !commands.data && (
        <ErrorState
          what="Writes could not be fetched"
          message={messageOf(commands.error)}
          onRetry={() => void commands.refetch()}
        />
      )}
      {commands.data?.length === 0 && (
        <EmptyState title="Never written">
          Writes of people and rules appear here with what came of them.
        </EmptyState>
      )}
      {commands.data && commands.data.length > 0 && (
        <WriteHistory point={detail.view} commands={commands.data} />
      )}
    </Panel>
  );
}
