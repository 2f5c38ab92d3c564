// Every call the pages make to the cloud, by name. Types come from its openapi.json; that they fit what
// the kit draws is checked here by the compiler.
import type { CommandRecord, PointView, Trend, WriteRequest } from '@riser/kit';
import { body, client } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];
export type Gateway = Schemas['Gateway'];
export type GatewayConfiguration = Schemas['GatewayConfiguration'];
export type ConfigurationStep = Schemas['ConfigurationStep'];
export type ConfigurationDesired = Schemas['ConfigurationDesired'];
export type GatewayAlarm = Schemas['GatewayAlarm'];
export type PointDetail = Schemas['PointDetail'];
export type Tenant = Schemas['Tenant'];

/** Names one point of one gateway. */
export interface PointName {
  gateway: string;
  /** `device/point` */
  path: string;
}

const ROUTE = '/api/v1/gateways/{gateway}/points/{device}/{point}';

function named({ gateway, path }: PointName): { gateway: string; device: string; point: string } {
  const [device = '', point = ''] = path.split('/');
  return { gateway, device, point };
}

export async function getTenants(): Promise<Tenant[]> {
  return (await body(client.GET('/api/v1/tenants'))).tenants;
}

const CONFIG = '/api/v1/gateways/{gateway}/config';

export const getConfiguration = (gateway: string): Promise<GatewayConfiguration> =>
  body(client.GET(CONFIG, { params: { path: { gateway } } }));

/** A request to a gateway on its way; the step that answers it carries its name. */
export type ConfigurationSent = Schemas['ConfigurationSent'];

export const applyConfiguration = (
  gateway: string,
  request: Schemas['ApplyRequest'],
): Promise<ConfigurationSent> => body(client.POST(CONFIG, { params: { path: { gateway } }, body: request }));

/** Cancels the document that waits for a gateway. */
export const cancelConfiguration = (gateway: string): Promise<GatewayConfiguration> =>
  body(client.DELETE(`${CONFIG}/desired`, { params: { path: { gateway } } }));

export const confirmConfiguration = (gateway: string, version: number): Promise<ConfigurationSent> =>
  body(client.POST(`${CONFIG}/confirm`, { params: { path: { gateway } }, body: { version } }));

export const revertConfiguration = (
  gateway: string,
  request: Schemas['RevertRequest'],
): Promise<ConfigurationSent> =>
  body(client.POST(`${CONFIG}/revert`, { params: { path: { gateway } }, body: request }));

export async function getGateways(): Promise<Gateway[]> {
  return (await body(client.GET('/api/v1/gateways'))).gateways;
}

export type Completeness = Schemas['Completeness'];
export type CompletenessDay = Schemas['CompletenessDay'];

/** Thirty days, the newest hours as soon as they are counted. */
export const getCompleteness = (gateway: string): Promise<Completeness> =>
  body(client.GET('/api/v1/gateways/{gateway}/completeness', { params: { path: { gateway } } }));

export type GatewayQuarantine = Schemas['GatewayQuarantine'];

/** Frames of a gateway that could not be used, the newest first. */
export const getQuarantine = (gateway: string): Promise<GatewayQuarantine> =>
  body(client.GET('/api/v1/gateways/{gateway}/quarantine', { params: { path: { gateway } } }));

/** The octets of one of them. */
export const getQuarantinedFrame = (gateway: string, id: number): Promise<Blob> =>
  body(
    client.GET('/api/v1/gateways/{gateway}/quarantine/{frame}', {
      params: { path: { gateway, frame: id } },
      parseAs: 'blob',
    }),
  ) as Promise<unknown> as Promise<Blob>;

export type GatewayAudit = Schemas['GatewayAudit'];

export interface AuditQuery {
  search?: string;
  action?: string;
  from?: number;
  to?: number;
}

const AUDIT = '/api/v1/gateways/{gateway}/audit';

export const getAudit = (
  gateway: string,
  query: AuditQuery & { before?: number; limit: number },
): Promise<GatewayAudit> => body(client.GET(AUDIT, { params: { path: { gateway }, query } }));

export const getAuditCsv = (gateway: string, query: AuditQuery): Promise<Blob> =>
  body(
    client.GET(`${AUDIT}.csv`, { params: { path: { gateway }, query }, parseAs: 'blob' }),
  ) as Promise<unknown> as Promise<Blob>;

export const acknowledgeBreak = (gateway: string, comment: string): Promise<GatewayAudit> =>
  body(client.POST(`${AUDIT}/acknowledge`, { params: { path: { gateway } }, body: { comment } }));

export const getGateway = (gateway: string): Promise<Gateway> =>
  body(client.GET('/api/v1/gateways/{gateway}', { params: { path: { gateway } } }));

export interface PointFilter {
  search?: string;
  device?: string;
  limit?: number;
  offset?: number;
}

export function getPoints(
  gateway: string,
  filter: PointFilter,
): Promise<{ points: PointView[]; total: number }> {
  const { search, device, limit, offset } = filter;
  const query = { search: search || undefined, device: device || undefined, limit, offset };
  return body(client.GET('/api/v1/gateways/{gateway}/points', { params: { path: { gateway }, query } }));
}

export const getPoint = (name: PointName): Promise<PointDetail> =>
  body(client.GET(ROUTE, { params: { path: named(name) } }));

export const getTrend = (name: PointName, from: number, to: number, buckets: number): Promise<Trend> =>
  body(client.GET(`${ROUTE}/trend`, { params: { path: named(name), query: { from, to, buckets } } }));

export const getCsv = (name: PointName, from: number, to: number): Promise<Blob> =>
  body(
    client.GET(`${ROUTE}/samples.csv`, {
      params: { path: named(name), query: { from, to } },
      parseAs: 'blob',
    }),
  ) as Promise<unknown> as Promise<Blob>;

export const writePoint = (name: PointName, request: WriteRequest): Promise<CommandRecord> =>
  body(client.POST(`${ROUTE}/write`, { params: { path: named(name) }, body: request }));

export const getCommand = (id: string): Promise<CommandRecord> =>
  body(client.GET('/api/v1/commands/{id}', { params: { path: { id } } }));

export async function getCommands({ gateway, path }: PointName, limit: number): Promise<CommandRecord[]> {
  const params = { path: { gateway }, query: { path, limit } };
  return (await body(client.GET('/api/v1/gateways/{gateway}/commands', { params }))).commands;
}

export async function getAlarms(
  state: 'open' | 'all',
  gateway: string,
  limit: number,
): Promise<GatewayAlarm[]> {
  const query = { state, gateway: gateway || undefined, limit };
  return (await body(client.GET('/api/v1/alarms', { params: { query } }))).alarms;
}

export const acknowledge = (alarm: GatewayAlarm, comment: string): Promise<GatewayAlarm> =>
  body(
    client.POST('/api/v1/gateways/{gateway}/alarms/{id}/acknowledge', {
      params: { path: { gateway: alarm.gateway, id: alarm.id } },
      body: { comment },
    }),
  );
