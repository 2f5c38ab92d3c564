// One gateway as the cloud sees it: its connection, open alarms, points.
import { TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import {
  AcknowledgeDialog,
  Age,
  AlarmList,
  BoneBlock,
  BoneRows,
  counted,
  EmptyState,
  ErrorState,
  Facts,
  formatBytes,
  formatCount,
  Link,
  messageOf,
  PageHeader,
  Panel,
  StatusDot,
  useNow,
} from '@riser/kit';
import { CircleCheck, Search } from 'lucide-react';
import { useMemo, useState } from 'react';
import { useAcknowledge } from '../alarms/useAcknowledge';
import type { Gateway, GatewayAlarm, GatewayConfiguration } from '../api/calls';
import { useAlarms, useConfiguration, useGateways } from '../api/queries';
import { connectionOf, connectionSentence, lagOf } from '../gateways';
import { GatewayPoints } from '../points/GatewayPoints';
import { pointHref } from '../points/WhyHost';
import { useMay } from '../session/session';
import { CompletenessPanel } from './CompletenessPanel';
import css from './gateways.module.css';

const TRAIL = [{ href: '/', label: 'Gateways' }];
const MOST_ALARMS = 5;

export default function GatewayPage({ id }: { id: string }) {
  const gateways = useGateways();
  const gateway = gateways.data?.find((g) => g.id === id);
  if (!gateway) {
    return (
      <>
        <PageHeader title={id} trail={TRAIL} />
        <Panel>
          {gateways.isPending && <BoneBlock height={320} />}
          {gateways.error && !gateways.data && (
            <ErrorState
              what="The gateway could not be fetched"
              message={messageOf(gateways.error)}
              onRetry={() => void gateways.refetch()}
            />
          )}
          {gateways.data && (
            <EmptyState title={`There is no gateway ${id}`} action={<Link href="/">All gateways</Link>}>
              It may belong to another tenant, or its name was mistyped.
            </EmptyState>
          )}
        </Panel>
      </>
    );
  }
  return (
    <>
      <PageHeader
        title={gateway.name}
        trail={TRAIL}
        subtitle={<span className="r-mono">{gateway.id}</span>}
      />
      <div className={css.stack}>
        <div className={css.top}>
          <ConnectionPanel gateway={gateway} />
          <AlarmsPanel gateway={id} />
        </div>
        <CompletenessPanel gateway={id} />
        <PointsPanel gateway={gateway} />
      </div>
    </>
  );
}

function ConnectionPanel({ gateway }: { gateway: Gateway }) {
  const now = useNow();
  const mayAudit = useMay('administer');
  const mayConfigure = useMay('configure');
  const configuration = useConfiguration(gateway.id, mayConfigure).data;
  return (
    <Panel title="Connection" aside={<StatusDot state={connectionOf(gateway, now)} strong />}>
      <p className={css.sentence}>{connectionSentence(gateway, now)}</p>
      <Facts
        facts={[
          ...(gateway.connected
            ? [{ name: 'Connected', value: <Age at={gateway.connected_since} ago /> }]
            : []),
          { name: 'Last heard', value: <Age at={gateway.last_seen} ago /> },
          { name: 'Heartbeat', value: <Age at={gateway.heartbeat_at} ago /> },
          { name: 'Lag', value: gateway.connected ? lagOf(gateway) : 'unknown while offline' },
          {
            name: 'Backlog',
            value:
              gateway.backlog_batches === 0
                ? 'none'
                : `${counted(gateway.backlog_batches, 'batch', 'batches')}, ${formatBytes(gateway.backlog_bytes)}`,
          },
          {
            name: 'Samples lost',
            value: gateway.lost_samples === 0 ? 'none' : formatCount(gateway.lost_samples),
          },
          { name: 'Version', value: gateway.version || 'unknown' },
          ...(mayConfigure
            ? [
                {
                  name: 'Configuration',
                  value: <RunningConfiguration gateway={gateway.id} configuration={configuration} />,
                },
              ]
            : []),
          ...(mayAudit
            ? [{ name: 'Audit log', value: <Link href={`/gateways/${gateway.id}/audit`}>Who did what</Link> }]
            : []),
        ]}
      />
    </Panel>
  );
}

function RunningConfiguration({
  gateway,
  configuration,
}: {
  gateway: string;
  configuration: GatewayConfiguration | undefined;
}) {
  const { version, waiting = false } = configuration ?? {};
  const running = typeof version === 'number' ? `Version ${version}` : 'What it runs';
  const trial = waiting ? ', on trial' : '';
  const another = configuration?.desired?.state === 'waiting' ? '; another waits for it' : '';
  return <Link href={`/gateways/${gateway}/configuration`}>{`${running}${trial}${another}`}</Link>;
}

function AlarmsPanel({ gateway }: { gateway: string }) {
  const alarms = useAlarms('open', gateway);
  const mayAcknowledge = useMay('acknowledge');
  const [taking, setTaking] = useState<GatewayAlarm | null>(null);
  const acknowledge = useAcknowledge();
  const all = alarms.data ?? [];
  return (
    <Panel
      title="Open alarms"
      aside={
        <Link href={`/alarms?gateway=${gateway}`}>
          {all.length > MOST_ALARMS ? `All ${all.length} alarms` : 'All alarms'}
        </Link>
      }
      flush
    >
      {alarms.isPending && <BoneRows rows={3} />}
      {alarms.error && !alarms.data && (
        <ErrorState
          what="Alarms could not be fetched"
          message={messageOf(alarms.error)}
          onRetry={() => void alarms.refetch()}
        />
      )}
      {alarms.data && all.length === 0 && (
        <EmptyState title="No open alarms" icon={CircleCheck}>
          Every condition its rules watch is normal, as far as it has told.
        </EmptyState>
      )}
      {all.length > 0 && (
        <AlarmList
          label="Open alarms, most urgent first"
          alarms={all}
          limit={MOST_ALARMS}
          compact
          pointHref={(a) => pointHref(a.gateway, a.path)}
          onAcknowledge={mayAcknowledge ? setTaking : undefined}
        />
      )}
      <AcknowledgeDialog alarm={taking} onClose={() => setTaking(null)} acknowledge={acknowledge} />
    </Panel>
  );
}

function PointsPanel({ gateway }: { gateway: Gateway }) {
  const [text, setText] = useState('');
  const [search] = useDebouncedValue(text.trim(), 150);
  const filter = useMemo(() => ({ search, device: '' }), [search]);
  return (
    <Panel
      title="Points"
      aside={<Link href={`/points?gateway=${gateway.id}`}>{counted(gateway.points, 'point')}</Link>}
      flush
    >
      <div className={css.field}>
        <TextInput
          aria-label="Search points by name or path"
          placeholder="Name or path"
          leftSection={<Search size={16} aria-hidden />}
          type="search"
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
        />
      </div>
      <GatewayPoints
        gateway={gateway.id}
        filter={filter}
        none={
          <EmptyState title="No point matches">
            Look for part of a name, such as “supply”, or of a path, such as “ahu-1/”.
          </EmptyState>
        }
      />
    </Panel>
  );
}
