// Every call the pages make to the gateway, by name. Types come from its openapi.json; that they fit
// what the kit draws is checked here by the compiler.
import type {
  Alarm,
  CommandRecord,
  DeviceHealth,
  LaneHealth,
  PointView,
  Trend,
  WriteRequest,
} from '@riser/kit';
import { body, client } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];
export type Setup = Schemas['Setup'];
export type Session = Schemas['Person'];
export type Overview = Schemas['Overview'];
export type PointDetail = Schemas['PointDetail'];
export type Ledger = Schemas['Ledger'];
export type LedgerRow = Schemas['LedgerRow'];
export type AuditList = Schemas['AuditList'];
export type BackupHealth = Schemas['BackupHealth'];
export type ConfigurationVersion = Schemas['ConfigurationVersion'];
export type ConfigurationAnswer = Schemas['ConfigurationAnswer'];
export type ConfigurationDifference = Schemas['ConfigurationDifference'];
export type ConfigurationView = Schemas['ConfigurationView'];
export type ConfigurationList = Schemas['ConfigurationList'];

export type ProtocolList = Schemas['ProtocolList'];
export type Protocol = Schemas['Protocol'];
export type Input = Schemas['Input'];
export type SearchInput = Schemas['SearchInput'];
export type Search = Schemas['Search'];
export type Find = Schemas['Find'];
export type AdditionRequest = Schemas['AdditionRequest'];
export type Addition = Schemas['Addition'];
export type Adapter = Schemas['Adapter'];
export type OperationList = Schemas['OperationList'];
export type OperationView = Schemas['OperationView'];
export type BrowseEntry = Schemas['BrowseEntry'];

export interface PointFilter {
  search?: string;
  device?: string;
  quality?: string;
  limit?: number;
  offset?: number;
}

const QUALITIES = ['good', 'uncertain', 'bad'] as const;

/** The parts of a point's path, as the routes want them. */
function named(path: string): { device: string; point: string } {
  const [device = '', point = ''] = path.split('/');
  return { device, point };
}

export const getSetup = (): Promise<Setup> => body(client.GET('/api/v1/setup'));

export const claim = (request: Schemas['ClaimRequest']): Promise<Session> =>
  body(client.POST('/api/v1/claim', { body: request }));

export const getSession = (): Promise<Session> => body(client.GET('/api/v1/session'));

export const logIn = (request: Schemas['LoginRequest']): Promise<Session> =>
  body(client.POST('/api/v1/session', { body: request }));

/** Longest wait for a server that does not answer a log-out. */
const LOG_OUT_LIMIT_MS = 4000;

/** Ends the session, also when the page is closed meanwhile. */
export const logOut = (): Promise<unknown> =>
  body(client.DELETE('/api/v1/session', { keepalive: true, signal: AbortSignal.timeout(LOG_OUT_LIMIT_MS) }));

export const getOverview = (): Promise<Overview> => body(client.GET('/api/v1/overview'));

export function getPoints(filter: PointFilter): Promise<{ points: PointView[]; total: number }> {
  const { search, device, quality, limit, offset } = filter;
  const query = {
    search: search || undefined,
    device: device || undefined,
    quality: QUALITIES.find((q) => q === quality),
    limit,
    offset,
  };
  return body(client.GET('/api/v1/points', { params: { query } }));
}

export const getPoint = (path: string): Promise<PointDetail> =>
  body(client.GET('/api/v1/points/{device}/{point}', { params: { path: named(path) } }));

export const getTrend = (path: string, from: number, to: number, buckets: number): Promise<Trend> =>
  body(
    client.GET('/api/v1/points/{device}/{point}/trend', {
      params: { path: named(path), query: { from, to, buckets } },
    }),
  );

/** Where the browser fetches the export; the session cookie speaks for it. */
export const csvHref = (path: string, from: number, to: number): string =>
  `/api/v1/points/${path}/samples.csv?from=${from}&to=${to}`;

export const writePoint = (path: string, request: WriteRequest): Promise<CommandRecord> =>
  body(
    client.POST('/api/v1/points/{device}/{point}/write', { params: { path: named(path) }, body: request }),
  );

export const getCommand = (id: string): Promise<CommandRecord> =>
  body(client.GET('/api/v1/commands/{id}', { params: { path: { id } } }));

export async function getCommands(path: string, limit: number): Promise<CommandRecord[]> {
  return (await body(client.GET('/api/v1/commands', { params: { query: { path, limit } } }))).commands;
}

export const getLedger = (from: number, by: 'hour' | 'day'): Promise<Ledger> =>
  body(client.GET('/api/v1/ledger', { params: { query: { from, by } } }));

export type Quarantine = Schemas['Quarantine'];

/** Batches the cloud could not use, the newest first. */
export const getQuarantine = (): Promise<Quarantine> => body(client.GET('/api/v1/quarantine'));

export const quarantinedFrameHref = (batch: Quarantine['batches'][number]): string =>
  `/api/v1/quarantine/${batch.epoch}/${batch.stream}/${batch.seq}`;

export interface AuditQuery {
  search?: string;
  action?: string;
  from?: number;
  to?: number;
}

export const getAudit = (
  query: AuditQuery & { before?: number; limit: number; check?: boolean },
): Promise<AuditList> => body(client.GET('/api/v1/audit', { params: { query } }));

/** Where the browser fetches the export; the session cookie speaks for it. */
export function auditCsvHref(query: AuditQuery): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const params = new URLSearchParams(given.map(([key, value]) => [key, String(value)]));
  return `/api/v1/audit.csv?${params.toString()}`;
}

export const acknowledgeBreak = (comment: string): Promise<Schemas['AuditChain']> =>
  body(client.POST('/api/v1/audit/acknowledge', { body: { comment } }));

export const getConfiguration = (version: number): Promise<ConfigurationView> =>
  body(client.GET('/api/v1/config/versions/{version}', { params: { path: { version } } }));

export const getConfigurations = (): Promise<ConfigurationList> =>
  body(client.GET('/api/v1/config/versions'));

export const compareConfigurations = (
  from: number,
  to: number,
): Promise<Schemas['ConfigurationComparison']> =>
  body(client.GET('/api/v1/config/diff', { params: { query: { from, to } } }));

export const checkConfiguration = (document: string): Promise<ConfigurationAnswer> =>
  body(client.POST('/api/v1/config/check', { body: { document } }));

export const applyConfiguration = (request: Schemas['ApplyRequest']): Promise<ConfigurationAnswer> =>
  body(client.POST('/api/v1/config', { body: request }));

export const confirmConfiguration = (version: number): Promise<ConfigurationAnswer> =>
  body(client.POST('/api/v1/config/confirm', { body: { version } }));

export const revertConfiguration = (request: Schemas['RevertRequest']): Promise<ConfigurationAnswer> =>
  body(client.POST('/api/v1/config/revert', { body: request }));

export const getProtocols = (): Promise<ProtocolList> => body(client.GET('/api/v1/protocols'));

export const getSearch = (kind: string): Promise<Search> =>
  body(client.GET('/api/v1/discovery/{kind}', { params: { path: { kind } } }));

export const startSearch = (kind: string, options: Record<string, unknown>): Promise<Search> =>
  body(client.POST('/api/v1/discovery/{kind}', { params: { path: { kind } }, body: { options } }));

export const stopSearch = (kind: string): Promise<Search> =>
  body(client.DELETE('/api/v1/discovery/{kind}', { params: { path: { kind } } }));

/** The configuration with finds in it; changes nothing. */
export const addFinds = (request: AdditionRequest): Promise<Addition> =>
  body(client.POST('/api/v1/additions', { body: request }));

export async function getAdapters(): Promise<Adapter[]> {
  return (await body(client.GET('/api/v1/adapters'))).adapters;
}

export const getOperations = (adapter: string): Promise<OperationList> =>
  body(client.GET('/api/v1/adapters/{adapter}/operations', { params: { path: { adapter } } }));

export const operate = (
  adapter: string,
  operation: string,
  parameters: Record<string, unknown>,
): Promise<Schemas['OperationAnswer']> =>
  body(
    client.POST('/api/v1/adapters/{adapter}/operations/{operation}', {
      params: { path: { adapter, operation } },
      body: { parameters },
    }),
  );

export async function browse(adapter: string, path: string): Promise<BrowseEntry[]> {
  const params = { path: { adapter }, query: { path } };
  return (await body(client.GET('/api/v1/adapters/{adapter}/browse', { params }))).nodes;
}

export const makeBackup = (): Promise<BackupHealth> => body(client.POST('/api/v1/backups'));

export async function getDevices(): Promise<DeviceHealth[]> {
  return (await body(client.GET('/api/v1/devices'))).devices;
}

export async function getLanes(): Promise<LaneHealth[]> {
  return (await body(client.GET('/api/v1/lanes'))).lanes;
}

export async function getAlarms(state: 'open' | 'all', limit: number): Promise<Alarm[]> {
  return (await body(client.GET('/api/v1/alarms', { params: { query: { state, limit } } }))).alarms;
}

export const acknowledge = (id: string, comment: string): Promise<Alarm> =>
  body(client.POST('/api/v1/alarms/{id}/acknowledge', { params: { path: { id } }, body: { comment } }));
