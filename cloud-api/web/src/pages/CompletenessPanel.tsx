// How complete the record of one gateway is, day by day: what is here of what it has collected.
import {
  BoneRows,
  DataTable,
  EmptyState,
  ErrorState,
  formatCount,
  messageOf,
  Panel,
  QuarantinePanel,
  useAnnounce,
  type Column,
} from '@riser/kit';
import { getQuarantinedFrame, type CompletenessDay } from '../api/calls';
import { useCompleteness, useQuarantine } from '../api/queries';
import { saveBlob } from '../points/exportCsv';
import css from './CompletenessPanel.module.css';

/** Rounded down: 99.999 % is not complete. */
const percent = (share: number | null | undefined) =>
  share === null || share === undefined
    ? 'nothing collected'
    : `${(Math.floor(share * 100) / 100).toFixed(2)} %`;

const dayOf = (at: number) => new Date(at).toISOString().slice(0, 10);

function Gap({ day }: { day: CompletenessDay }) {
  if (day.unexplained === 0) return <span className={css.zero}>none</span>;
  return <strong className={css.gap}>▲ {formatCount(day.unexplained)} missing</strong>;
}

/** What is here of minutes only: no part of the percentage. */
function Rolled({ day }: { day: CompletenessDay }) {
  if (day.rolled_up === 0) return null;
  return <span className={css.zero}>+ {formatCount(day.rolled_up)} rolled up</span>;
}

const COLUMNS: readonly Column<CompletenessDay>[] = [
  {
    key: 'day',
    title: 'Day (UTC)',
    track: 'minmax(120px, 1fr)',
    compare: (a, b) => a.day - b.day,
    render: (day) => <span className={css.figure}>{dayOf(day.day)}</span>,
  },
  {
    key: 'completeness',
    title: 'Complete',
    track: 'minmax(120px, 1fr)',
    align: 'end',
    compare: (a, b) => (a.completeness ?? 0) - (b.completeness ?? 0),
    render: (day) => <span className={css.figure}>{percent(day.completeness)}</span>,
  },
  {
    key: 'collected',
    title: 'Collected',
    track: 'minmax(110px, 1fr)',
    align: 'end',
    render: (day) => <span className={css.figure}>{formatCount(day.collected)}</span>,
  },
  {
    key: 'received',
    title: 'In the cloud',
    track: 'minmax(110px, 1fr)',
    align: 'end',
    render: (day) => (
      <span className={css.figure}>
        {formatCount(day.received)} <Rolled day={day} />
      </span>
    ),
  },
  {
    key: 'unexplained',
    title: 'Unexplained',
    track: 'minmax(120px, 1fr)',
    align: 'end',
    render: (day) => <Gap day={day} />,
  },
];

function Aside({ gateway }: { gateway: string }) {
  const { data, error, refetch } = useQuarantine(gateway);
  const announce = useAnnounce();
  const take = (id: number, name: string) =>
    getQuarantinedFrame(gateway, id).then(
      (blob) => saveBlob(blob, `${gateway}-${name.replace(' ', '-')}.frame`),
      (reason: unknown) => announce(`It could not be fetched: ${messageOf(reason)}`),
    );
  const rows = (data?.frames ?? []).map((frame) => {
    const what = typeof frame.seq === 'number' ? `${frame.stream} ${frame.seq}` : 'unreadable';
    return {
      key: String(frame.id),
      at: frame.received_at,
      what,
      reason: frame.reason,
      onTake: typeof frame.octets === 'number' ? () => void take(frame.id, what) : undefined,
    };
  });
  return (
    <QuarantinePanel total={data?.total ?? 0} rows={rows} error={error} onRetry={() => void refetch()} />
  );
}

export function CompletenessPanel({ gateway }: { gateway: string }) {
  const asked = useCompleteness(gateway);
  const days = [...(asked.data?.days ?? [])].reverse();
  return (
    <>
      <Panel title="Completeness, last 30 days" flush>
        {asked.isPending && <BoneRows rows={3} />}
        {asked.error && !asked.data && (
          <ErrorState
            what="The completeness could not be fetched"
            message={messageOf(asked.error)}
            onRetry={() => void asked.refetch()}
          />
        )}
        {asked.data && days.length === 0 && (
          <EmptyState title="No closed hour yet">
            A gateway tells what became of its samples two minutes after each full hour.
          </EmptyState>
        )}
        {days.length > 0 && (
          <DataTable
            label="Completeness by day"
            rows={days}
            columns={COLUMNS}
            rowKey={(day) => String(day.day)}
            card={(day) => (
              <div className={css.card}>
                <div className={css.cardHead}>
                  <span className={css.figure}>{dayOf(day.day)}</span>
                  <strong className={css.figure}>{percent(day.completeness)}</strong>
                </div>
                <div className={css.zero}>
                  {formatCount(day.received)} of {formatCount(day.collected)} samples <Rolled day={day} />;
                  unexplained: <Gap day={day} />
                </div>
              </div>
            )}
          />
        )}
      </Panel>
      <Aside gateway={gateway} />
    </>
  );
}
