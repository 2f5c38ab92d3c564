// Every point of the gateway: search, filter by device and quality, live values.
import { NativeSelect, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import {
  BoneRows,
  Choices,
  EmptyState,
  ErrorState,
  formatCount,
  messageOf,
  PageHeader,
  Panel,
  PointTable,
} from '@riser/kit';
import { Search } from 'lucide-react';
import { useCallback, useMemo, useState } from 'react';
import { useDevices, usePoints } from '../api/queries';
import { liveKey, pointHref, useWhy } from '../points/WhyHost';
import { useUrl } from '../useUrl';
import css from './PointsPage.module.css';

const QUALITIES = [
  { value: '', label: 'All' },
  { value: 'good', label: 'Good' },
  { value: 'uncertain', label: 'Uncertain' },
  { value: 'bad', label: 'Bad' },
];

export default function PointsPage() {
  const [url, setUrl] = useUrl();
  const filter = {
    search: url.get('search') ?? '',
    device: url.get('device') ?? '',
    quality: url.get('quality') ?? '',
  };
  const points = usePoints(filter);
  const why = useWhy();
  const rows = useMemo(() => points.data?.pages.flatMap((p) => p.points) ?? [], [points.data]);
  const total = points.data?.pages[0]?.total ?? 0;
  const filtered = Boolean(filter.search || filter.device || filter.quality);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = points;
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);

  return (
    <>
      <PageHeader
        title="Points"
        subtitle={points.data ? `${formatCount(total)} ${filtered ? 'match' : 'on this gateway'}` : ' '}
      />
      <Filters filter={filter} onChange={setUrl} />
      <Panel flush>
        {points.isPending && <BoneRows rows={12} />}
        {points.error && !points.data && (
          <ErrorState
            what="Points could not be fetched"
            message={messageOf(points.error)}
            onRetry={() => void points.refetch()}
          />
        )}
        {points.data && rows.length === 0 && (
          <NoPoints
            filtered={filtered}
            onClear={() => setUrl({ search: null, device: null, quality: null })}
          />
        )}
        {rows.length > 0 && (
          <PointTable
            label="Points"
            points={rows}
            total={total}
            onEnd={hasNextPage ? onEnd : undefined}
            href={pointHref}
            liveKey={liveKey}
            onWhy={why}
          />
        )}
      </Panel>
    </>
  );
}

interface FiltersProps {
  filter: { search: string; device: string; quality: string };
  onChange: (changes: Record<string, string | null>) => void;
}

function Filters({ filter, onChange }: FiltersProps) {
  const devices = useDevices();
  const [text, setText] = useState(filter.search);
  const [sent, setSent] = useState(filter.search);
  const settle = useDebouncedCallback((next: string) => {
    setSent(next);
    onChange({ search: next.trim() });
  }, 150);
  // The URL may change beside the field, by a link or by "show all".
  if (filter.search !== sent.trim()) {
    setSent(filter.search);
    setText(filter.search);
  }
  return (
    <div className={css.filters} role="search">
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
      <NativeSelect
        aria-label="Device"
        value={filter.device}
        onChange={(event) => onChange({ device: event.currentTarget.value })}
      >
        <option value="">Every device</option>
        {devices.data?.map((d) => (
          <option key={d.device} value={d.device}>
            {d.name}
          </option>
        ))}
      </NativeSelect>
      <Choices
        label="Quality"
        value={filter.quality}
        onChange={(quality) => onChange({ quality })}
        choices={QUALITIES}
      />
    </div>
  );
}

function NoPoints({ filtered, onClear }: { filtered: boolean; onClear: () => void }) {
  if (!filtered) {
    return (
      <EmptyState title="No points yet">
        Points come with devices. Add a device to the configuration and start the gateway again; what it
        measures appears here.
      </EmptyState>
    );
  }
  return (
    <EmptyState
      title="No point matches"
      action={
        <button type="button" className={css.clear} onClick={onClear}>
          Show all points
        </button>
      }
    >
      Look for part of a name, such as “supply”, or of a path, such as “ahu-1/”.
    </EmptyState>
  );
}
