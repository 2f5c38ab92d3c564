// Alarms across gateways: what is open, what has been, and taking them.
import { NativeSelect } from '@mantine/core';
import {
  AcknowledgeDialog,
  AlarmList,
  BoneRows,
  Choices,
  EmptyState,
  ErrorState,
  formatCount,
  messageOf,
  needsAcknowledgement,
  PageHeader,
  Panel,
  PRIORITIES,
  PRIORITY_WORDS,
  WHO_CAN_OPERATE,
} from '@riser/kit';
import { CircleCheck } from 'lucide-react';
import { useCallback, useState } from 'react';
import { useAcknowledge } from '../alarms/useAcknowledge';
import type { GatewayAlarm } from '../api/calls';
import { useAlarms, useGateways } from '../api/queries';
import { pointHref } from '../points/WhyHost';
import { useMay } from '../session/session';
import { useUrl } from '../useUrl';
import css from './AlarmsPage.module.css';

const alarmHref = (a: GatewayAlarm): string => pointHref(a.gateway, a.path);
const gatewayHref = (gateway: string): string => `/gateways/${gateway}`;

export default function AlarmsPage() {
  const [url, setUrl] = useUrl();
  const state = url.get('state') === 'all' ? 'all' : 'open';
  const priority = url.get('priority') ?? '';
  const gateway = url.get('gateway') ?? '';
  const alarms = useAlarms(state, gateway);
  const gateways = useGateways();
  const mayAcknowledge = useMay('acknowledge');
  const gatewayName = useCallback(
    (id: string) => gateways.data?.find((g) => g.id === id)?.name ?? id,
    [gateways.data],
  );
  const [taking, setTaking] = useState<GatewayAlarm | null>(null);
  const acknowledge = useAcknowledge();
  const all = alarms.data ?? [];
  const shown = priority ? all.filter((a) => a.priority === priority) : all;
  const waiting = all.filter((a) => needsAcknowledgement(a.state)).length;
  return (
    <>
      <PageHeader
        title="Alarms"
        subtitle={
          alarms.data
            ? waiting > 0
              ? `${formatCount(waiting)} not acknowledged`
              : 'Nothing waits to be acknowledged'
            : ' '
        }
      />
      <div className={css.filters}>
        <Choices
          label="Which alarms"
          value={state}
          onChange={(next) => setUrl({ state: next === 'all' ? 'all' : null })}
          choices={[
            { value: 'open', label: 'Open' },
            { value: 'all', label: 'With history' },
          ]}
        />
        <NativeSelect
          aria-label="Gateway"
          value={gateway}
          onChange={(event) => setUrl({ gateway: event.currentTarget.value })}
        >
          <option value="">Every gateway</option>
          {gateways.data?.map((g) => (
            <option key={g.id} value={g.id}>
              {g.name}
            </option>
          ))}
        </NativeSelect>
        <NativeSelect
          aria-label="Priority"
          value={priority}
          onChange={(event) => setUrl({ priority: event.currentTarget.value })}
        >
          <option value="">Every priority</option>
          {PRIORITIES.map((p) => (
            <option key={p} value={p}>
              {PRIORITY_WORDS[p].name}
            </option>
          ))}
        </NativeSelect>
      </div>
      <Panel flush>
        {alarms.isPending && <BoneRows />}
        {alarms.error && !alarms.data && (
          <ErrorState
            what="Alarms could not be fetched"
            message={messageOf(alarms.error)}
            onRetry={() => void alarms.refetch()}
          />
        )}
        {alarms.data && shown.length === 0 && (
          <NoAlarms state={state} filtered={priority !== '' || gateway !== ''} />
        )}
        {shown.length > 0 && (
          <AlarmList
            label={state === 'open' ? 'Open alarms, most urgent first' : 'Alarms with history'}
            alarms={shown}
            pointHref={alarmHref}
            gatewayHref={gatewayHref}
            gatewayName={gatewayName}
            onAcknowledge={mayAcknowledge ? setTaking : undefined}
          />
        )}
      </Panel>
      {!mayAcknowledge && waiting > 0 && (
        <p className={css.note}>Your role cannot acknowledge alarms. {WHO_CAN_OPERATE}</p>
      )}
      <AcknowledgeDialog alarm={taking} onClose={() => setTaking(null)} acknowledge={acknowledge} />
    </>
  );
}

function NoAlarms({ state, filtered }: { state: 'open' | 'all'; filtered: boolean }) {
  if (filtered)
    return (
      <EmptyState title="No alarm matches">Choose another gateway or priority to see the others.</EmptyState>
    );
  if (state === 'all')
    return (
      <EmptyState title="No alarm was ever raised">
        Rules on the gateways raise alarms; they appear here at once.
      </EmptyState>
    );
  return (
    <EmptyState title="No open alarms" icon={CircleCheck}>
      Every condition the gateways watch is normal, and nothing waits to be acknowledged.
    </EmptyState>
  );
}
