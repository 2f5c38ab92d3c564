// Every call the pages make to the gateway, by name.
import type {
  Alarm,
  CommandRecord,
  DeviceHealth,
  LaneHealth,
  LinkStatus,
  PointView,
  PriorityLevel,
  Role,
  Trend,
  WriteRequest,
} from '@riser/kit';
import { noteServerDate, problemOf, unreachable } from '@riser/kit';

export interface Setup {
  claimed: boolean;
  gateway: { id: string; name: string; version: string };
}

export interface Session {
  user: string;
  role: Role;
  expires_at: number;
}

export interface Overview {
  gateway: { id: string; name: string; tenant: string; version: string; started_at: number; clock: string };
  link: LinkStatus;
  alarms: { critical: number; high: number; medium: number; low: number; unacknowledged: number };
  devices: { online: number; degraded: number; offline: number; unknown: number };
  points: { good: number; uncertain: number; bad: number };
}

export interface PointDetail {
  view: PointView;
  priority_array: PriorityLevel[];
  lane?: LaneHealth | null;
  device_health?: DeviceHealth | null;
  last_command?: CommandRecord | null;
}

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(path, {
    method,
    headers: { 'X-Riser': '1', ...(body !== undefined && { 'Content-Type': 'application/json' }) },
    body: body === undefined ? undefined : JSON.stringify(body),
  }).catch(() => {
    throw unreachable('The gateway');
  });
  noteServerDate(response.headers.get('Date'));
  const text = await response.text();
  const parsed: unknown = text ? JSON.parse(text) : undefined;
  if (!response.ok) throw problemOf(response.status, parsed);
  return parsed as T;
}

function query(params: Record<string, string | number | undefined>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value !== undefined && value !== '') search.set(key, String(value));
  }
  const text = search.toString();
  return text ? `?${text}` : '';
}

export const getSetup = () => call<Setup>('GET', '/api/v1/setup');
export const claim = (body: { code: string; user: string; password: string }) =>
  call<Session>('POST', '/api/v1/claim', body);
export const getSession = () => call<Session>('GET', '/api/v1/session');
export const logIn = (body: { user: string; password: string }) =>
  call<Session>('POST', '/api/v1/session', body);
export const logOut = () => call<undefined>('DELETE', '/api/v1/session');
export const getOverview = () => call<Overview>('GET', '/api/v1/overview');

export interface PointFilter {
  search?: string;
  device?: string;
  quality?: string;
  limit?: number;
  offset?: number;
}

export const getPoints = (filter: PointFilter) =>
  call<{ points: PointView[]; total: number }>('GET', `/api/v1/points${query({ ...filter })}`);
export const getPoint = (path: string) => call<PointDetail>('GET', `/api/v1/points/${path}`);
export const getTrend = (path: string, from: number, to: number, buckets: number) =>
  call<Trend>('GET', `/api/v1/points/${path}/trend${query({ from, to, buckets })}`);
export const csvHref = (path: string, from: number, to: number) =>
  `/api/v1/points/${path}/samples.csv${query({ from, to })}`;
export const writePoint = (path: string, request: WriteRequest) =>
  call<CommandRecord>('POST', `/api/v1/points/${path}/write`, request);
export const getCommand = (id: string) => call<CommandRecord>('GET', `/api/v1/commands/${id}`);
export const getCommands = async (path: string, limit: number) =>
  (await call<{ commands: CommandRecord[] }>('GET', `/api/v1/commands${query({ path, limit })}`)).commands;
export const getDevices = async () =>
  (await call<{ devices: DeviceHealth[] }>('GET', '/api/v1/devices')).devices;
export const getLanes = async () => (await call<{ lanes: LaneHealth[] }>('GET', '/api/v1/lanes')).lanes;
export const getAlarms = async (state: 'open' | 'all', limit: number) =>
  (await call<{ alarms: Alarm[] }>('GET', `/api/v1/alarms${query({ state, limit })}`)).alarms;
export const acknowledge = (id: string, comment: string) =>
  call<Alarm>('POST', `/api/v1/alarms/${id}/acknowledge`, { comment });
