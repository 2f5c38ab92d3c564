// The points of one gateway as a list, fetched page by page as it is scrolled.
import { BoneRows, EmptyState, ErrorState, messageOf, PointTable, type PointView } from '@riser/kit';
import { useCallback, useMemo, type ReactNode } from 'react';
import { usePoints } from '../api/queries';
import { liveKeyOf } from '../live/live';
import { pointHref, useWhy } from './WhyHost';

interface GatewayPointsProps {
  gateway: string;
  filter: { search: string; device: string };
  /** What stands there when nothing matches the filter. */
  none: ReactNode;
}

export function useTotal(gateway: string, filter: { search: string; device: string }): number | undefined {
  return usePoints(gateway, filter).data?.pages[0]?.total;
}

export function GatewayPoints({ gateway, filter, none }: GatewayPointsProps) {
  const points = usePoints(gateway, filter);
  const why = useWhy();
  const rows = useMemo(() => points.data?.pages.flatMap((p) => p.points) ?? [], [points.data]);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = points;
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const href = useCallback((p: PointView) => pointHref(gateway, p.path), [gateway]);
  const liveKey = useCallback((p: PointView) => liveKeyOf(gateway, p.path), [gateway]);
  const onWhy = useCallback((point: PointView) => why({ gateway, point }), [gateway, why]);

  if (points.isPending) return <BoneRows rows={10} />;
  if (points.error && !points.data) {
    return (
      <ErrorState
        what="Points could not be fetched"
        message={messageOf(points.error)}
        onRetry={() => void points.refetch()}
      />
    );
  }
  if (rows.length === 0) {
    if (filter.search || filter.device) return none;
    return (
      <EmptyState title="No points yet">
        A gateway tells its points when it connects for the first time. Look at its own page on the building’s
        network if it should have some.
      </EmptyState>
    );
  }
  return (
    <PointTable
      label="Points"
      points={rows}
      total={points.data?.pages[0]?.total}
      onEnd={hasNextPage ? onEnd : undefined}
      href={href}
      liveKey={liveKey}
      onWhy={onWhy}
    />
  );
}
