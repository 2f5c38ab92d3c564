// One device: how it answers, the lane it hangs on, its points.
import {
  Age,
  BoneBlock,
  BoneRows,
  BREAKER_WORDS,
  DEVICE_WORDS,
  EmptyState,
  ErrorState,
  Facts,
  formatCount,
  formatNumber,
  formatShare,
  LANE_WORDS,
  Link,
  messageOf,
  PageHeader,
  Panel,
  PointTable,
  StatusDot,
  type DeviceHealth,
  type LaneHealth,
} from '@riser/kit';
import { useCallback, useMemo } from 'react';
import { useDevices, useLanes, usePoints } from '../api/queries';
import css from '../devices/devices.module.css';
import { Utilisation } from '../devices/LaneTable';
import { liveKey, pointHref, useWhy } from '../points/WhyHost';

const TRAIL = [{ href: '/devices', label: 'Devices' }];

export default function DevicePage({ device: key }: { device: string }) {
  const devices = useDevices();
  const lanes = useLanes();
  const device = devices.data?.find((d) => d.device === key);
  if (!device) {
    return (
      <>
        <PageHeader title={key} trail={TRAIL} />
        <Panel>
          {devices.isPending && <BoneBlock height={320} />}
          {devices.error && !devices.data && (
            <ErrorState
              what="The device could not be fetched"
              message={messageOf(devices.error)}
              onRetry={() => void devices.refetch()}
            />
          )}
          {devices.data && (
            <EmptyState title={`There is no device ${key}`} action={<Link href="/devices">All devices</Link>}>
              It may have been renamed or taken out of the configuration.
            </EmptyState>
          )}
        </Panel>
      </>
    );
  }
  return (
    <>
      <PageHeader
        title={device.name}
        trail={TRAIL}
        subtitle={
          <>
            <span className="r-mono">{device.device}</span> · {device.adapter}, {device.address}
          </>
        }
      />
      <div className={css.columns}>
        <Panel title="Health" aside={<StatusDot state={DEVICE_WORDS[device.state]} strong />}>
          <DeviceFacts device={device} />
        </Panel>
        <LanePanel name={device.lane} lane={lanes.data?.find((l) => l.lane === device.lane)} />
      </div>
      <DevicePoints device={key} />
    </>
  );
}

function DeviceFacts({ device }: { device: DeviceHealth }) {
  const share = device.requests > 0 ? device.errors / device.requests : 0;
  return (
    <>
      <Facts
        facts={[
          { name: 'Last good answer', value: <Age at={device.last_ok} ago /> },
          {
            name: 'Answer time',
            value:
              typeof device.latency_ms === 'number'
                ? `${formatNumber(device.latency_ms, 1)} ms`
                : 'not measured yet',
          },
          { name: 'Requests', value: formatCount(device.requests) },
          { name: 'Errors', value: `${formatCount(device.errors)} (${formatShare(share)})` },
          { name: 'Failures in a row', value: formatCount(device.failures) },
          { name: 'Circuit breaker', value: BREAKER_WORDS[device.breaker] },
        ]}
      />
      {device.last_error && <p className={css.lastError}>Last error: {device.last_error}</p>}
    </>
  );
}

function LanePanel({ name, lane }: { name: string; lane: LaneHealth | undefined }) {
  return (
    <Panel title="Lane" aside={lane && <StatusDot state={LANE_WORDS[lane.state]} strong />}>
      <Facts
        facts={[
          { name: 'Name', value: <span className="r-mono">{name}</span> },
          ...(lane
            ? [
                { name: 'Busy', value: <Utilisation lane={lane} /> },
                { name: 'Requests', value: formatCount(lane.requests) },
                { name: 'Time-outs', value: formatCount(lane.timeouts) },
                { name: 'Late scans', value: formatCount(lane.overruns) },
                { name: 'Connections made', value: formatCount(lane.connects) },
              ]
            : []),
        ]}
      />
      {lane?.last_error && <p className={css.lastError}>Last error: {lane.last_error}</p>}
    </Panel>
  );
}

function DevicePoints({ device }: { device: string }) {
  const filter = useMemo(() => ({ search: '', device, quality: '' }), [device]);
  const points = usePoints(filter);
  const why = useWhy();
  const rows = useMemo(() => points.data?.pages.flatMap((p) => p.points) ?? [], [points.data]);
  const total = points.data?.pages[0]?.total ?? 0;
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = points;
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  return (
    <Panel title="Points" aside={points.data && formatCount(total)} flush>
      {points.isPending && <BoneRows />}
      {points.error && !points.data && (
        <ErrorState
          what="Points could not be fetched"
          message={messageOf(points.error)}
          onRetry={() => void points.refetch()}
        />
      )}
      {points.data && rows.length === 0 && (
        <EmptyState title="No points">The profile of this device names none.</EmptyState>
      )}
      {rows.length > 0 && (
        <PointTable
          label="Points of this device"
          points={rows}
          total={total}
          onEnd={hasNextPage ? onEnd : undefined}
          href={pointHref}
          liveKey={liveKey}
          onWhy={why}
          hideDevice
        />
      )}
    </Panel>
  );
}
