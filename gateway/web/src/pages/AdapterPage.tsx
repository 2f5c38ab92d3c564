// One adapter: what it is doing, what can be done with it, and what its devices hold.
import {
  Age,
  BoneRows,
  EmptyState,
  ErrorState,
  Facts,
  formatCount,
  messageOf,
  NoPermission,
  PageHeader,
  Panel,
  StatusDot,
} from '@riser/kit';
import { Link } from 'wouter';
import { Browse } from '../adapters/Browse';
import { Operations } from '../adapters/Operations';
import css from '../adapters/adapters.module.css';
import { ADAPTER_WORDS } from '../adapters/words';
import { useAdapters } from '../api/queries';
import { useMay } from '../session/session';

const TRAIL = [{ href: '/devices', label: 'Devices' }];

export default function AdapterPage({ adapter: encoded }: { adapter: string }) {
  const name = decodeURIComponent(encoded);
  const may = useMay('configure');
  const list = useAdapters();
  const adapter = list.data?.find((a) => a.name === name);
  return (
    <>
      <PageHeader title={name} trail={TRAIL} subtitle={adapter ? `Adapter of kind ${adapter.kind}` : ' '} />
      <div className={css.stack}>
        {list.isPending && (
          <Panel>
            <BoneRows rows={3} />
          </Panel>
        )}
        {list.error && !list.data && (
          <Panel>
            <ErrorState
              what="The adapter could not be fetched"
              message={messageOf(list.error)}
              onRetry={() => void list.refetch()}
            />
          </Panel>
        )}
        {list.data && !adapter && (
          <Panel>
            <EmptyState title={`There is no adapter “${name}”`}>
              It may have another name now, or be no longer in the{' '}
              <Link href="/configuration">configuration</Link>.
            </EmptyState>
          </Panel>
        )}
        {adapter && (
          <Panel title="State" aside={<StatusDot state={ADAPTER_WORDS[adapter.state]} strong />}>
            <Facts
              facts={[
                { name: 'Since', value: <Age at={adapter.since} ago /> },
                { name: 'Points', value: formatCount(adapter.points) },
                { name: 'Started again', value: formatCount(adapter.restarts) },
              ]}
            />
            {adapter.last_error && <p className={css.error}>Last error: {adapter.last_error}</p>}
          </Panel>
        )}
        {adapter && !may && (
          <Panel>
            <NoPermission
              what="Your role does not show operations and devices"
              who="Technicians, installers and administrators can."
            />
          </Panel>
        )}
        {adapter && may && <Operations adapter={name} />}
        {adapter && may && adapter.can_browse && <Browse adapter={name} />}
      </div>
    </>
  );
}
