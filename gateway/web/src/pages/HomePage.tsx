// The gateway at a glance: the way of a value hop by hop, alarms, devices, lanes, quality.
import {
  AcknowledgeDialog,
  AlarmCounts,
  AlarmList,
  BoneBlock,
  BoneRows,
  Chain,
  EmptyState,
  ErrorState,
  formatSpan,
  Link,
  messageOf,
  PageHeader,
  Panel,
  ShareBar,
  useNow,
  type Alarm,
} from '@riser/kit';
import { CircleCheck } from 'lucide-react';
import { useState } from 'react';
import type { Overview } from '../api/calls';
import { BackupPanel } from './BackupPanel';
import { useAlarms, useLanes, useOverview } from '../api/queries';
import { useAcknowledge } from '../alarms/useAcknowledge';
import { LaneTable } from '../devices/LaneTable';
import { pointHref } from '../points/WhyHost';
import { useMay } from '../session/session';
import css from './HomePage.module.css';
import { hops } from './hops';

const MOST_ALARMS = 6;

export function HomePage() {
  const overview = useOverview();
  const now = useNow();
  if (overview.error && !overview.data) {
    return (
      <>
        <PageHeader title="Home" />
        <Panel>
          <ErrorState
            what="The overview could not be fetched"
            message={messageOf(overview.error)}
            onRetry={() => void overview.refetch()}
          />
        </Panel>
      </>
    );
  }
  const o = overview.data;
  return (
    <>
      <PageHeader
        title="Home"
        subtitle={
          o
            ? `${o.gateway.id} · Riser ${o.gateway.version} · running ${formatSpan(now - o.gateway.started_at)}`
            : ' '
        }
      />
      <div className={css.grid}>
        <Panel className={css.whole} flush>
          {o ? <Chain label="The way of a value" hops={hops(o, now)} /> : <BoneBlock height={108} />}
        </Panel>
        <AlarmsPanel overview={o} />
        <div className={css.side}>
          <Panel title="Devices" aside={<Link href="/devices">All devices</Link>}>
            {o ? <ShareBar label="Devices by state" shares={deviceShares(o)} /> : <BoneBlock height={84} />}
          </Panel>
          <Panel title="Points by quality" aside={<Link href="/points">All points</Link>}>
            {o ? <ShareBar label="Points by quality" shares={pointShares(o)} /> : <BoneBlock height={84} />}
          </Panel>
          {o && <BackupPanel health={o.backup} />}
        </div>
        <LanesPanel />
      </div>
    </>
  );
}

const deviceShares = (o: Overview) => [
  { word: 'Online', tone: 'normal' as const, count: o.devices.online, href: '/devices?state=online' },
  { word: 'Degraded', tone: 'warning' as const, count: o.devices.degraded, href: '/devices?state=degraded' },
  { word: 'Offline', tone: 'fault' as const, count: o.devices.offline, href: '/devices?state=offline' },
  { word: 'Not heard', tone: 'unknown' as const, count: o.devices.unknown, href: '/devices?state=unknown' },
];

const pointShares = (o: Overview) => [
  { word: 'Good', tone: 'normal' as const, count: o.points.good, href: '/points?quality=good' },
  {
    word: 'Uncertain',
    tone: 'warning' as const,
    count: o.points.uncertain,
    href: '/points?quality=uncertain',
  },
  { word: 'Bad', tone: 'fault' as const, count: o.points.bad, href: '/points?quality=bad' },
];

function AlarmsPanel({ overview }: { overview: Overview | undefined }) {
  const alarms = useAlarms('open');
  const mayAcknowledge = useMay('acknowledge');
  const [taking, setTaking] = useState<Alarm | null>(null);
  const acknowledge = useAcknowledge();
  const all = alarms.data ?? [];
  return (
    <Panel
      title="Open alarms"
      aside={
        <Link href="/alarms">{all.length > MOST_ALARMS ? `All ${all.length} alarms` : 'All alarms'}</Link>
      }
      flush
      className={css.alarms}
    >
      {overview ? (
        <AlarmCounts counts={overview.alarms} href={(p) => `/alarms?priority=${p}`} />
      ) : (
        <BoneBlock height={84} />
      )}
      <div className={css.list}>
        {alarms.isPending && <BoneRows rows={4} />}
        {alarms.error && !alarms.data && (
          <ErrorState
            what="Alarms could not be fetched"
            message={messageOf(alarms.error)}
            onRetry={() => void alarms.refetch()}
          />
        )}
        {alarms.data && all.length === 0 && (
          <EmptyState title="No open alarms" icon={CircleCheck}>
            Every condition the rules watch is normal, and nothing waits to be acknowledged.
          </EmptyState>
        )}
        {all.length > 0 && (
          <AlarmList
            label="Open alarms, most urgent first"
            alarms={all}
            limit={MOST_ALARMS}
            compact
            pointHref={pointHref}
            onAcknowledge={mayAcknowledge ? setTaking : undefined}
          />
        )}
      </div>
      <AcknowledgeDialog alarm={taking} onClose={() => setTaking(null)} acknowledge={acknowledge} />
    </Panel>
  );
}

function LanesPanel() {
  const lanes = useLanes();
  return (
    <Panel title="Lanes" aside="What must be serial on the field side" flush className={css.whole}>
      {lanes.isPending && <BoneRows rows={3} />}
      {lanes.error && !lanes.data && (
        <ErrorState
          what="Lanes could not be fetched"
          message={messageOf(lanes.error)}
          onRetry={() => void lanes.refetch()}
        />
      )}
      {lanes.data?.length === 0 && (
        <EmptyState title="No lanes">
          Add a device to the configuration; its bus or connection appears here.
        </EmptyState>
      )}
      {lanes.data && lanes.data.length > 0 && <LaneTable lanes={lanes.data} />}
    </Panel>
  );
}
