// The cloud's answers as queries: one key per thing, so the live stream can renew what it changed.
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { resolveRange, serverNow, type TrendRange } from '@riser/kit';
import * as calls from './calls';
import type { PointName } from './calls';

export const keys = {
  user: ['user'],
  tenants: ['tenants'],
  gateways: ['gateways'],
  alarms: ['alarms'],
  audit: (gateway: string) => ['audit', gateway],
  configuration: (gateway: string) => ['configuration', gateway],
  completeness: (gateway: string) => ['completeness', gateway],
  points: (gateway: string) => ['points', gateway],
  point: (name: PointName) => ['point', name.gateway, name.path],
  commands: (name: PointName) => ['commands', name.gateway, name.path],
  trend: (name: PointName) => ['trend', name.gateway, name.path],
} as const;

const GATEWAYS_EVERY_MS = 10_000;
const POINT_EVERY_MS = 10_000;
const ALARMS_EVERY_MS = 20_000;
const CONFIGURATION_EVERY_MS = 15_000;
const ANSWER_EVERY_MS = 1000;
const COMPLETENESS_EVERY_MS = 60_000;
const PAGE = 200;
const BUCKETS = 480;

export const useTenants = (enabled: boolean) =>
  useQuery({ queryKey: keys.tenants, queryFn: calls.getTenants, enabled });

/** What a gateway runs, by its own audit log; asked more often while an answer of it is waited for. */
export const useConfiguration = (gateway: string, enabled: boolean, waits = false) =>
  useQuery({
    queryKey: keys.configuration(gateway),
    queryFn: () => calls.getConfiguration(gateway),
    refetchInterval: waits ? ANSWER_EVERY_MS : CONFIGURATION_EVERY_MS,
    enabled,
  });

export const useGateways = () =>
  useQuery({ queryKey: keys.gateways, queryFn: calls.getGateways, refetchInterval: GATEWAYS_EVERY_MS });

export const useCompleteness = (gateway: string) =>
  useQuery({
    queryKey: keys.completeness(gateway),
    queryFn: () => calls.getCompleteness(gateway),
    refetchInterval: COMPLETENESS_EVERY_MS,
  });

/** Frames of a gateway that could not be used. */
export const useQuarantine = (gateway: string) =>
  useQuery({
    queryKey: ['quarantine', gateway],
    queryFn: () => calls.getQuarantine(gateway),
    refetchInterval: COMPLETENESS_EVERY_MS,
  });

/** The audit log of a gateway, the newest first, older ones as they are asked for. */
export const useAudit = (gateway: string, query: calls.AuditQuery, enabled: boolean) =>
  useInfiniteQuery({
    queryKey: [...keys.audit(gateway), query],
    queryFn: ({ pageParam }) => calls.getAudit(gateway, { ...query, before: pageParam, limit: PAGE }),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (last) => (last.entries.length < PAGE ? undefined : last.entries.at(-1)?.no),
    placeholderData: keepPreviousData,
    refetchInterval: COMPLETENESS_EVERY_MS,
    enabled,
  });

export function useAlarms(state: 'open' | 'all', gateway = '') {
  return useQuery({
    queryKey: [...keys.alarms, state, gateway],
    queryFn: () => calls.getAlarms(state, gateway, state === 'open' ? 500 : 1000),
    refetchInterval: ALARMS_EVERY_MS,
  });
}

export function usePoints(gateway: string, filter: { search: string; device: string }) {
  return useInfiniteQuery({
    queryKey: [...keys.points(gateway), filter],
    queryFn: ({ pageParam }) => calls.getPoints(gateway, { ...filter, limit: PAGE, offset: pageParam }),
    initialPageParam: 0,
    getNextPageParam: (last, pages) => {
      const loaded = pages.reduce((n, p) => n + p.points.length, 0);
      return last.points.length > 0 && loaded < last.total ? loaded : undefined;
    },
    enabled: gateway !== '',
    placeholderData: keepPreviousData,
  });
}

export const usePoint = (name: PointName) =>
  useQuery({
    queryKey: keys.point(name),
    queryFn: () => calls.getPoint(name),
    refetchInterval: POINT_EVERY_MS,
  });

export const useCommands = (name: PointName) =>
  useQuery({ queryKey: keys.commands(name), queryFn: () => calls.getCommands(name, 20) });

/** A trend, asked again as often as its buckets are wide while it follows the clock. */
export function useTrend(name: PointName, range: TrendRange) {
  const length = range.kind === 'last' ? range.ms : range.to - range.from;
  return useQuery({
    queryKey: [...keys.trend(name), range],
    queryFn: () => {
      const { from, to } = resolveRange(range, serverNow());
      return calls.getTrend(name, Math.round(from), Math.round(to), BUCKETS);
    },
    refetchInterval: range.kind === 'last' ? Math.min(60_000, Math.max(4000, length / BUCKETS)) : false,
    placeholderData: keepPreviousData,
  });
}
