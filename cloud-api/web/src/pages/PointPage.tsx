// One point of one gateway: its value and why, its trend, writing it and what came of earlier writes.
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
  useAnnounce,
  useNow,
  usePointReading,
  WHO_CAN_OPERATE,
  Why,
  WriteDialog,
  WriteHistory,
  type Reading,
  type WriteRequest,
} from '@riser/kit';
import { PenLine } from 'lucide-react';
import { useCallback, useMemo, useState } from 'react';
import { getCommand, writePoint, type PointDetail, type PointName } from '../api/calls';
import { useCommands, useGateways, usePoint, useTrend } from '../api/queries';
import { liveKeyOf } from '../live/live';
import { exportCsv } from '../points/exportCsv';
import { useMarkers } from '../points/useMarkers';
import { useMay } from '../session/session';
import { useUrl } from '../useUrl';
import css from './PointPage.module.css';

function useTrail(name: PointName): { href: string; label: string }[] {
  const gateway = useGateways().data?.find((g) => g.id === name.gateway);
  return [
    { href: '/', label: 'Gateways' },
    { href: `/gateways/${name.gateway}`, label: gateway?.name ?? name.gateway },
  ];
}

export default function PointPage({ gateway, path }: PointName) {
  const name = useMemo(() => ({ gateway, path }), [gateway, path]);
  const point = usePoint(name);
  const trail = useTrail(name);
  if (point.data) return <Loaded name={name} detail={point.data} trail={trail} />;
  return (
    <>
      <PageHeader title={path} trail={trail} />
      <Panel>
        {point.error ? (
          <ErrorState
            what={`The point ${path} of ${gateway} could not be fetched`}
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

interface LoadedProps {
  name: PointName;
  detail: PointDetail;
  trail: { href: string; label: string }[];
}

function Loaded({ name, detail, trail }: LoadedProps) {
  const { view } = detail;
  const reading = usePointReading(view, liveKeyOf(name.gateway, name.path));
  const gateway = useGateways().data?.find((g) => g.id === name.gateway);
  const mayWrite = useMay('write');
  const writable = view.access !== 'read';
  const device = name.path.split('/')[0] ?? '';
  const [writing, setWriting] = useState(false);
  const send = useCallback((request: WriteRequest) => writePoint(name, request), [name]);
  return (
    <>
      <PageHeader
        title={view.name}
        trail={[
          ...trail,
          { href: `/points?gateway=${name.gateway}&device=${device}`, label: view.device_name },
        ]}
        subtitle={<span className="r-mono">{name.path}</span>}
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
            <Why point={view} reading={reading} background={{ last_command: detail.last_command }} />
            {gateway && !gateway.connected && (
              <p className={css.note}>
                {gateway.name} is not connected: the value is the last one that arrived, and a write waits at
                most until it expires.
              </p>
            )}
            {writable && !mayWrite && (
              <p className={css.note}>Your role cannot write this point. {WHO_CAN_OPERATE}</p>
            )}
          </Panel>
        </div>
        <div className={css.main}>
          <Panel flush>
            <Trend name={name} detail={detail} reading={reading} />
          </Panel>
          {writable && <Writes name={name} detail={detail} />}
        </div>
      </div>
      <WriteDialog
        point={view}
        reading={reading}
        opened={writing}
        onClose={() => setWriting(false)}
        send={send}
        ask={getCommand}
      />
    </>
  );
}

function Trend({ name, detail, reading }: { name: PointName; detail: PointDetail; reading: Reading }) {
  const { view } = detail;
  const [url, setUrl] = useUrl();
  const text = url.toString();
  const range = useMemo(() => parseRange(new URLSearchParams(text)), [text]);
  const trend = useTrend(name, range);
  const span = resolveRange(range, useNow());
  const markers = useMarkers(name, view);
  const announce = useAnnounce();
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
      onExport={() => {
        exportCsv(name, Math.round(span.from), Math.round(span.to)).then(
          () => announce('The export is saved.'),
          (reason: unknown) => announce(`The export failed: ${messageOf(reason)}`),
        );
      }}
    />
  );
}

function Writes({ name, detail }: { name: PointName; detail: PointDetail }) {
  const commands = useCommands(name);
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
