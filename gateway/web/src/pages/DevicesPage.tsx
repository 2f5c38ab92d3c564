// Devices by lane: what hangs on which bus or connection, and how well it answers.
import {
  BoneRows,
  Choices,
  counted,
  EmptyState,
  ErrorState,
  formatCount,
  LANE_WORDS,
  messageOf,
  PageHeader,
  Panel,
  StatusDot,
  type DeviceHealth,
  type LaneHealth,
} from '@riser/kit';
import { Button } from '@mantine/core';
import { Plus } from 'lucide-react';
import { Link } from 'wouter';
import { Adapters } from '../adapters/Adapters';
import { useDevices, useLanes } from '../api/queries';
import { DeviceTable } from '../devices/DeviceTable';
import { Utilisation } from '../devices/LaneTable';
import css from '../devices/devices.module.css';
import { useMay } from '../session/session';
import { useUrl } from '../useUrl';

const STATES = [
  { value: '', label: 'All' },
  { value: 'online', label: 'Online' },
  { value: 'degraded', label: 'Degraded' },
  { value: 'offline', label: 'Offline' },
  { value: 'unknown', label: 'Not heard' },
];

export default function DevicesPage() {
  const devices = useDevices();
  const lanes = useLanes();
  const may = useMay('configure');
  const [url, setUrl] = useUrl();
  const state = url.get('state') ?? '';
  const all = devices.data ?? [];
  const shown = state ? all.filter((d) => d.state === state) : all;
  return (
    <>
      <PageHeader
        title="Devices"
        subtitle={
          devices.data ? `${formatCount(all.length)} on ${counted(lanes.data?.length ?? 0, 'lane')}` : ' '
        }
        actions={
          may && (
            <Button component={Link} href="/add" leftSection={<Plus size={16} aria-hidden />}>
              Add devices
            </Button>
          )
        }
      />
      <div className={css.filters}>
        <Choices label="State" value={state} onChange={(next) => setUrl({ state: next })} choices={STATES} />
      </div>
      {devices.isPending && (
        <Panel flush>
          <BoneRows />
        </Panel>
      )}
      {devices.error && !devices.data && (
        <Panel>
          <ErrorState
            what="Devices could not be fetched"
            message={messageOf(devices.error)}
            onRetry={() => void devices.refetch()}
          />
        </Panel>
      )}
      {devices.data && shown.length === 0 && (
        <Panel>
          <EmptyState title={state ? 'No device is in this state' : 'No devices yet'}>
            {state
              ? 'Choose another state to see the others.'
              : 'Search for devices and add those you choose; they appear here with their lane.'}
          </EmptyState>
        </Panel>
      )}
      {byLane(shown).map(([name, group]) => (
        <Lane key={name} name={name} devices={group} lane={lanes.data?.find((l) => l.lane === name)} />
      ))}
      <Adapters />
    </>
  );
}

function byLane(devices: readonly DeviceHealth[]): [string, DeviceHealth[]][] {
  const groups = new Map<string, DeviceHealth[]>();
  for (const d of devices) groups.set(d.lane, [...(groups.get(d.lane) ?? []), d]);
  return [...groups].sort(([a], [b]) => a.localeCompare(b));
}

function Lane({
  name,
  lane,
  devices,
}: {
  name: string;
  lane: LaneHealth | undefined;
  devices: DeviceHealth[];
}) {
  return (
    <Panel flush className={css.lane}>
      <div className={css.laneHead}>
        <div>
          <h2 className={`${css.laneName} r-mono`}>{name}</h2>
          {lane && (
            <div className={css.laneFacts}>
              <span>{counted(lane.requests, 'request')}</span>
              <span>{counted(lane.timeouts, 'time-out')}</span>
              <span>{counted(lane.desyncs, 'stray answer')}</span>
              <span>{counted(lane.overruns, 'late scan')}</span>
            </div>
          )}
        </div>
        {lane && <StatusDot state={LANE_WORDS[lane.state]} strong />}
        {lane && <Utilisation lane={lane} />}
        {lane?.last_error && lane.state !== 'up' && (
          <div className={css.laneError}>Last error: {lane.last_error}</div>
        )}
      </div>
      <DeviceTable devices={devices} label={`Devices on ${name}`} />
    </Panel>
  );
}
