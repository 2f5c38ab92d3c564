// The gateway's answers as queries: one key per thing, so the live stream can renew what it changed.
import { keepPreviousData, skipToken, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { resolveRange, serverNow, type LinkStatus, type TrendRange } from '@riser/kit';
import { useMemo } from 'react';
import * as calls from './calls';

export const keys = {
  setup: ['setup'],
  session: ['session'],
  overview: ['overview'],
  link: ['link'],
  points: ['points'],
  devices: ['devices'],
  lanes: ['lanes'],
  ledger: ['ledger'],
  audit: ['audit'],
  configuration: ['configuration'],
  protocols: ['protocols'],
  searches: ['search'],
  search: (kind: string) => ['search', kind],
  adapters: ['adapters'],
  operations: (adapter: string) => ['operations', adapter],
  browse: (adapter: string, path: string) => ['browse', adapter, path],
  alarms: ['alarms'],
  point: (path: string) => ['point', path],
  commands: (path: string) => ['commands', path],
  trend: (path: string) => ['trend', path],
} as const;

const OVERVIEW_EVERY_MS = 5000;
const HEALTH_EVERY_MS = 5000;
const SEARCH_EVERY_MS = 1000;
const ALARMS_EVERY_MS = 15_000;
const LEDGER_EVERY_MS = 15_000;
const DAY_MS = 86_400_000;
const PAGE = 200;
const BUCKETS = 480;

/**
 * The overview, with the link as it was pushed last. What is pushed has a key of its own: writing it into
 * the overview would put off the next fetch each time, for ever.
 */
export function useOverview() {
  const asked = useQuery({
    queryKey: keys.overview,
    queryFn: calls.getOverview,
    refetchInterval: OVERVIEW_EVERY_MS,
  });
  const pushed = useQuery<LinkStatus>({ queryKey: keys.link, queryFn: skipToken, staleTime: Infinity });
  const link = pushed.dataUpdatedAt > asked.dataUpdatedAt ? pushed.data : undefined;
  const data = useMemo(
    () => asked.data && { ...asked.data, link: link ?? asked.data.link },
    [asked.data, link],
  );
  return { data, error: asked.error, refetch: asked.refetch };
}

export const useDevices = () =>
  useQuery({ queryKey: keys.devices, queryFn: calls.getDevices, refetchInterval: HEALTH_EVERY_MS });

export const useLanes = () =>
  useQuery({ queryKey: keys.lanes, queryFn: calls.getLanes, refetchInterval: HEALTH_EVERY_MS });

export const useAdapters = () =>
  useQuery({ queryKey: keys.adapters, queryFn: calls.getAdapters, refetchInterval: HEALTH_EVERY_MS });

/** The protocols devices can be added of. */
export const useProtocols = (enabled: boolean) =>
  useQuery({ queryKey: keys.protocols, queryFn: calls.getProtocols, enabled });

/** The last search of a protocol; asked for often while it runs, which keeps it alive. */
export const useSearch = (kind: string) =>
  useQuery({
    queryKey: keys.search(kind),
    queryFn: () => calls.getSearch(kind),
    refetchInterval: (query) => (query.state.data?.state === 'running' ? SEARCH_EVERY_MS : false),
  });

/** What can be done with an adapter now. */
export const useOperations = (adapter: string, enabled: boolean) =>
  useQuery({
    queryKey: keys.operations(adapter),
    queryFn: () => calls.getOperations(adapter),
    enabled,
    refetchInterval: HEALTH_EVERY_MS,
  });

/** One level of what an adapter's devices hold; asked for once, as it may take a device a while. */
export const useBrowse = (adapter: string, path: string) =>
  useQuery({
    queryKey: keys.browse(adapter, path),
    queryFn: () => calls.browse(adapter, path),
    staleTime: Infinity,
    retry: false,
  });

/** The versions of the configuration; looked at often, as one may be taken back by itself. */
export const useConfigurations = (enabled: boolean) =>
  useQuery({
    queryKey: [...keys.configuration, 'versions'],
    queryFn: calls.getConfigurations,
    refetchInterval: HEALTH_EVERY_MS,
    enabled,
  });

/** The document of a version, secrets hidden. */
export const useConfiguration = (version: number | undefined) =>
  useQuery({
    queryKey: [...keys.configuration, 'document', version],
    queryFn: version === undefined ? skipToken : () => calls.getConfiguration(version),
  });

/** What is different between two versions. */
export const useComparison = (from: number | null, to: number) =>
  useQuery({
    queryKey: [...keys.configuration, 'compare', from, to],
    queryFn: from === null ? skipToken : () => calls.compareConfigurations(from, to),
  });

/** The loss ledger: two days by the hour, or ninety by the day. */
export const useLedger = (daily: boolean) =>
  useQuery({
    queryKey: [...keys.ledger, daily],
    queryFn: () =>
      calls.getLedger(Math.round(serverNow()) - (daily ? 90 : 2) * DAY_MS, daily ? 'day' : 'hour'),
    refetchInterval: LEDGER_EVERY_MS,
    placeholderData: keepPreviousData,
  });

/** Batches the cloud could not use. */
export const useQuarantine = () =>
  useQuery({
    queryKey: ['quarantine'],
    queryFn: calls.getQuarantine,
    refetchInterval: LEDGER_EVERY_MS,
  });

/** The audit log, the newest first, older ones as they are asked for. */
export const useAudit = (query: calls.AuditQuery, enabled: boolean) =>
  useInfiniteQuery({
    queryKey: [...keys.audit, query],
    queryFn: ({ pageParam }) => calls.getAudit({ ...query, before: pageParam, limit: PAGE }),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (last) => (last.entries.length < PAGE ? undefined : last.entries.at(-1)?.no),
    placeholderData: keepPreviousData,
    enabled,
  });

export function useAlarms(state: 'open' | 'all') {
  return useQuery({
    queryKey: [...keys.alarms, state],
    queryFn: () => calls.getAlarms(state, state === 'open' ? 500 : 1000),
    refetchInterval: ALARMS_EVERY_MS,
  });
}

export function usePoints(filter: { search: string; device: string; quality: string }) {
  return useInfiniteQuery({
    queryKey: [...keys.points, filter],
    queryFn: ({ pageParam }) => calls.getPoints({ ...filter, limit: PAGE, offset: pageParam }),
    initialPageParam: 0,
    getNextPageParam: (last, pages) => {
      const loaded = pages.reduce((n, p) => n + p.points.length, 0);
      return last.points.length > 0 && loaded < last.total ? loaded : undefined;
    },
    placeholderData: keepPreviousData,
  });
}

export const usePoint = (path: string) =>
  useQuery({
    queryKey: keys.point(path),
    queryFn: () => calls.getPoint(path),
    refetchInterval: HEALTH_EVERY_MS,
  });

export const useCommands = (path: string) =>
  useQuery({ queryKey: keys.commands(path), queryFn: () => calls.getCommands(path, 20) });

/** A trend, asked again as often as its buckets are wide while it follows the clock. */
export function useTrend(path: string, range: TrendRange) {
  const length = range.kind === 'last' ? range.ms : range.to - range.from;
  return useQuery({
    queryKey: [...keys.trend(path), range],
    queryFn: () => {
      const { from, to } = resolveRange(range, serverNow());
      return calls.getTrend(path, Math.round(from), Math.round(to), BUCKETS);
    },
    refetchInterval: range.kind === 'last' ? Math.min(60_000, Math.max(2000, length / BUCKETS)) : false,
    placeholderData: keepPreviousData,
  });
}
