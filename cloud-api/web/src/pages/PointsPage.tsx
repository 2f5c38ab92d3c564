// The points of one gateway at a time: search, live values.
import { NativeSelect, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { BoneRows, EmptyState, ErrorState, formatCount, messageOf, PageHeader, Panel } from '@riser/kit';
import { Search } from 'lucide-react';
import { useMemo, useState } from 'react';
import { useGateways } from '../api/queries';
import { GatewayPoints, useTotal } from '../points/GatewayPoints';
import { useUrl } from '../useUrl';
import css from './PointsPage.module.css';

export default function PointsPage() {
  const [url, setUrl] = useUrl();
  const gateways = useGateways();
  const gateway = url.get('gateway') ?? gateways.data?.[0]?.id ?? '';
  const search = url.get('search') ?? '';
  const device = url.get('device') ?? '';
  const filter = useMemo(() => ({ search, device }), [search, device]);
  const total = useTotal(gateway, filter);
  const name = gateways.data?.find((g) => g.id === gateway)?.name;
  return (
    <>
      <PageHeader
        title="Points"
        subtitle={
          total === undefined
            ? ' '
            : `${formatCount(total)} ${search || device ? 'match' : ''} on ${name ?? gateway}`.replace(
                '  ',
                ' ',
              )
        }
      />
      <div className={css.filters} role="search">
        <NativeSelect
          aria-label="Gateway"
          value={gateway}
          onChange={(event) => setUrl({ gateway: event.currentTarget.value, device: null })}
        >
          {gateways.data?.map((g) => (
            <option key={g.id} value={g.id}>
              {g.name}
            </option>
          ))}
        </NativeSelect>
        <SearchField search={search} onSearch={(text) => setUrl({ search: text })} />
        {device && (
          <button type="button" className={css.clear} onClick={() => setUrl({ device: null })}>
            Only device {device}: show every device
          </button>
        )}
      </div>
      <Panel flush>
        {gateways.isPending && <BoneRows rows={10} />}
        {gateways.error && !gateways.data && (
          <ErrorState
            what="Gateways could not be fetched"
            message={messageOf(gateways.error)}
            onRetry={() => void gateways.refetch()}
          />
        )}
        {gateways.data?.length === 0 && (
          <EmptyState title="No gateways yet">
            Points come with gateways; none has connected so far.
          </EmptyState>
        )}
        {gateway && (
          <GatewayPoints
            key={gateway}
            gateway={gateway}
            filter={filter}
            none={
              <EmptyState
                title="No point matches"
                action={
                  <button
                    type="button"
                    className={css.clear}
                    onClick={() => setUrl({ search: null, device: null })}
                  >
                    Show all points
                  </button>
                }
              >
                Look for part of a name, such as “supply”, or of a path, such as “ahu-1/”.
              </EmptyState>
            }
          />
        )}
      </Panel>
    </>
  );
}

function SearchField({ search, onSearch }: { search: string; onSearch: (text: string) => void }) {
  const [text, setText] = useState(search);
  const [sent, setSent] = useState(search);
  const settle = useDebouncedCallback((next: string) => {
    setSent(next);
    onSearch(next.trim());
  }, 150);
  // The URL may change beside the field, by a link or by "show all".
  if (search !== sent.trim()) {
    setSent(search);
    setText(search);
  }
  return (
    <TextInput
      className={css.search}
      aria-label="Search points by name or path"
      placeholder="Name or path"
      leftSection={<Search size={16} aria-hidden />}
      type="search"
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value);
        settle(event.currentTarget.value);
      }}
    />
  );
}
