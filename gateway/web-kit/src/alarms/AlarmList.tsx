// Alarms as a list: priority, message, where, the value against its limit, age, state, acknowledge.
import { Button } from '@mantine/core';
import { useMemo } from 'react';
import { formatPlain } from '../format/number';
import type { Alarm } from '../model';
import { Link } from '../link';
import { AlarmBadge } from '../status/AlarmBadge';
import { DataTable, type Column } from '../table/DataTable';
import { Age } from '../value/Age';
import { ALARM_STATE_WORDS, byUrgency, isActive, needsAcknowledgement, PRIORITIES } from '../words/alarm';
import { authorName } from '../words/command';
import css from './alarms.module.css';

/** An alarm, with the gateway it is from where there are several. */
export type ListedAlarm = Alarm & { gateway?: string };

interface AlarmListProps<T extends ListedAlarm> {
  label: string;
  alarms: readonly T[];
  pointHref: (alarm: T) => string;
  gatewayHref?: (gateway: string) => string;
  /** The name people read; its identity where there is none. */
  gatewayName?: (gateway: string) => string;
  /** Shows the most urgent so many only. */
  limit?: number;
  /** Leaves out the value and state, where space is short. */
  compact?: boolean;
  /** Absent where the person may not. */
  onAcknowledge?: (alarm: T) => void;
}

/** The value that raised it and the limit it broke: `31.4, limit 30`. */
function broke(alarm: Alarm): string {
  const parts: string[] = [];
  if (typeof alarm.value === 'number') parts.push(formatPlain(alarm.value));
  else if (typeof alarm.value === 'boolean') parts.push(alarm.value ? 'On' : 'Off');
  else if (typeof alarm.value === 'string') parts.push(alarm.value);
  if (typeof alarm.limit === 'number' && typeof alarm.value === 'number')
    parts.push(`limit ${formatPlain(alarm.limit)}`);
  return parts.join(', ');
}

function StateCell({ alarm }: { alarm: Alarm }) {
  const taken = alarm.acknowledged;
  return (
    <span className={css.state}>
      <span className={needsAcknowledgement(alarm.state) ? css.waiting : undefined}>
        {ALARM_STATE_WORDS[alarm.state]}
      </span>
      {taken && (
        <span className={css.note} title={taken.comment || undefined}>
          {authorName(taken.by)}, <Age at={taken.at} ago />
          {taken.comment && `: ${taken.comment}`}
        </span>
      )}
      {!taken && alarm.cleared_at && (
        <span className={css.note}>
          ended <Age at={alarm.cleared_at} ago />
        </span>
      )}
    </span>
  );
}

function Acknowledge<T extends ListedAlarm>({
  alarm,
  onAcknowledge,
}: {
  alarm: T;
  onAcknowledge?: (alarm: T) => void;
}) {
  if (!onAcknowledge || !needsAcknowledgement(alarm.state)) return null;
  return (
    <Button
      variant="default"
      size="compact-sm"
      className={css.acknowledge}
      onClick={() => onAcknowledge(alarm)}
    >
      Acknowledge
      <span className="r-visually-hidden">: {alarm.message}</span>
    </Button>
  );
}

const sameName = (gateway: string): string => gateway;

function Subject({ alarm, href }: { alarm: Alarm; href: string }) {
  return (
    <span className={css.where}>
      <span className={isActive(alarm.state) ? css.message : css.past}>{alarm.message}</span>
      <Link href={href} className={`${css.point} r-mono`}>
        {alarm.path}
      </Link>
    </span>
  );
}

export function AlarmList<T extends ListedAlarm>(props: AlarmListProps<T>) {
  const {
    alarms,
    pointHref,
    gatewayHref,
    gatewayName = sameName,
    onAcknowledge,
    limit,
    compact = false,
  } = props;
  const ordered = useMemo(() => [...alarms].sort(byUrgency).slice(0, limit), [alarms, limit]);
  const shown = useMemo<Column<T>[]>(() => {
    const columns: (Column<T> & { compact?: boolean })[] = [
      {
        key: 'priority',
        title: 'Priority',
        track: '104px',
        compact: true,
        render: (a) => <AlarmBadge priority={a.priority} filled={needsAcknowledgement(a.state)} />,
        compare: (a, b) => PRIORITIES.indexOf(a.priority) - PRIORITIES.indexOf(b.priority),
      },
      {
        key: 'message',
        title: 'Alarm',
        track: 'minmax(220px, 2.4fr)',
        compact: true,
        render: (a) => <Subject alarm={a} href={pointHref(a)} />,
        compare: (a, b) => a.message.localeCompare(b.message),
      },
      ...(gatewayHref
        ? [
            {
              key: 'gateway',
              title: 'Gateway',
              track: 'minmax(110px, 1fr)',
              compare: (a: T, b: T) => (a.gateway ?? '').localeCompare(b.gateway ?? ''),
              render: (a: T) => (
                <Link href={gatewayHref(a.gateway ?? '')} className={css.gateway}>
                  {gatewayName(a.gateway ?? '')}
                </Link>
              ),
            },
          ]
        : []),
      { key: 'value', title: 'Value, limit', track: '150px', align: 'end', wideOnly: true, render: broke },
      {
        key: 'raised',
        title: 'Raised',
        track: '72px',
        align: 'end',
        compact: true,
        render: (a) => <Age at={a.raised_at} />,
        compare: (a, b) => b.raised_at - a.raised_at,
      },
      { key: 'state', title: 'State', track: 'minmax(190px, 1.8fr)', render: (a) => <StateCell alarm={a} /> },
      {
        key: 'act',
        title: '',
        track: compact ? '190px' : '124px',
        align: 'end',
        compact: true,
        render: (a) =>
          onAcknowledge && needsAcknowledgement(a.state) ? (
            <Acknowledge alarm={a} onAcknowledge={onAcknowledge} />
          ) : (
            compact && <StateCell alarm={a} />
          ),
      },
    ];
    return compact ? columns.filter((c) => c.compact) : columns;
  }, [pointHref, gatewayHref, gatewayName, onAcknowledge, compact]);

  return (
    <DataTable
      label={props.label}
      rows={ordered}
      columns={shown}
      rowKey={(a) => a.id}
      card={(a) => (
        <div className={css.card}>
          <div className={css.cardHead}>
            <AlarmBadge priority={a.priority} filled={needsAcknowledgement(a.state)} />
            <Age at={a.raised_at} ago />
          </div>
          <Link href={pointHref(a)} className={css.cardMessage}>
            {a.message}
          </Link>
          <div className={css.note}>
            {a.gateway && `${gatewayName(a.gateway)} · `}
            {a.path}
            {broke(a) && ` · ${broke(a)}`}
          </div>
          <div className={css.cardFoot}>
            <StateCell alarm={a} />
            <Acknowledge alarm={a} onAcknowledge={onAcknowledge} />
          </div>
        </div>
      )}
    />
  );
}
