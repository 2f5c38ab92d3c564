// Entries of the audit log in words: what an action is called in a filter, and the sentence of one entry.
// Entries of newer gateways have actions and details nobody here knows; they are shown as they stand.
import type { AuditEntry } from '../model';
import { counted } from '../format/number';
import { formatSpan, formatStamp } from '../format/time';

/** What the filter offers, in the order of how often it is asked for. */
export const AUDIT_ACTIONS: readonly [string, string][] = [
  ['write', 'Writes'],
  ['outcome', 'What became of writes'],
  ['operation', 'Operations of adapters'],
  ['operation_outcome', 'What became of operations'],
  ['acknowledge', 'Alarms acknowledged'],
  ['login', 'Log-ins'],
  ['login_failed', 'Wrong passwords'],
  ['locked_out', 'Lock-outs'],
  ['logout', 'Log-outs'],
  ['claim', 'Claim of the gateway'],
  ['configuration', 'Configurations'],
  ['configuration_confirmed', 'Configurations confirmed'],
  ['configuration_reverted', 'Configurations taken back'],
  ['configuration_refused', 'Configurations refused'],
  ['configuration_unchanged', 'Configurations that ran already'],
  ['user_added', 'Users added'],
  ['user_removed', 'Users removed'],
  ['user_role', 'Roles changed'],
  ['user_password', 'Passwords changed'],
  ['backup', 'Backups'],
  ['restored', 'Restores'],
  ['updated', 'Updates'],
  ['clock_set', 'Clock set'],
  ['pruned', 'Old entries dropped'],
  ['chain_broken', 'Breaks found'],
  ['break_acknowledged', 'Breaks acknowledged'],
];

type Detail = Record<string, unknown>;

function detailOf(entry: AuditEntry): Detail {
  try {
    const detail: unknown = JSON.parse(entry.detail);
    return typeof detail === 'object' && detail !== null ? (detail as Detail) : {};
  } catch {
    return {}; // Nothing more is said, or it was cut to its longest length.
  }
}

const text = (value: unknown): string =>
  typeof value === 'string'
    ? value
    : typeof value === 'number' || typeof value === 'boolean'
      ? String(value)
      : '';

const number = (value: unknown): number => (typeof value === 'number' ? value : 0);

const after = (lead: string, value: unknown): string => (text(value) ? `${lead}${text(value)}` : '');

function written(object: string, detail: Detail): string {
  const until = number(detail['hold_until']);
  const hold = until > 0 ? `, until ${formatStamp(until)}` : '';
  const level = after(' at priority ', detail['priority']);
  return detail['value'] === null
    ? `Released ${object}${level}`
    : `Wrote ${text(detail['value'])} to ${object}${level}${hold}`;
}

const OUTCOMES: Record<string, string> = {
  applied: 'applied',
  accepted_not_effective: 'accepted, not effective',
  refused: 'refused',
  expired: 'expired',
  failed: 'failed',
};

function backedUp(object: string, detail: Detail): string {
  if (detail['ok'] === false) return `Backup failed${after(': ', detail['error'])}`;
  if (detail['ok'] === true) return `Made a backup: ${object}`;
  return 'Asked for a backup';
}

function clockSet(_: string, detail: Detail): string {
  const by = number(detail['by_ms']);
  const moved = `The clock went ${by < 0 ? 'back' : 'forward'} by ${formatSpan(Math.abs(by))}`;
  return typeof detail['assumed_since'] === 'number'
    ? `${moved}: the time was not known before; what was recorded since ${formatStamp(detail['assumed_since'])} by the old clock was put right`
    : moved;
}

function parameters(given: unknown): string {
  if (typeof given !== 'object' || given === null) return '';
  const said = Object.entries(given).map(([name, value]) => `${name} ${text(value)}`);
  return said.length > 0 ? ` (${said.join(', ')})` : '';
}

const SENTENCES: Record<string, (object: string, detail: Detail) => string> = {
  write: written,
  outcome: (o, d) => {
    const state = text(d['state']);
    return `Write to ${o}: ${OUTCOMES[state] ?? state}${after(': ', d['detail'])}`;
  },
  operation: (o, d) => `Asked adapter ${o.replace('/', ' to ')}${parameters(d['parameters'])}`,
  operation_outcome: (o, d) => {
    const [adapter, name] = o.split('/');
    return `${name ?? o} of adapter ${adapter ?? ''}: ${text(d['state']) || 'over'}${after(': ', d['detail'])}`;
  },
  acknowledge: (o, d) => `Acknowledged “${text(d['message']) || o}”${after(': ', d['comment'])}`,
  login: () => 'Logged in',
  login_failed: (_, d) =>
    number(d['attempts']) > 1 ? counted(number(d['attempts']), 'wrong log-in') : 'Wrong name or password',
  locked_out: (o) => `${o || 'A user'} was locked out after wrong passwords`,
  logout: () => 'Logged out',
  claim: () => 'Claimed this gateway',
  claim_failed: (_, d) =>
    number(d['attempts']) > 1 ? counted(number(d['attempts']), 'wrong claim code') : 'Wrong claim code',
  configuration: (o, d) =>
    `Applied ${o}${number(d['until']) > 0 ? ' on trial' : ''}${after(': ', d['note'])}`,
  configuration_confirmed: (o) => `Confirmed ${o}`,
  configuration_reverted: (o, d) => `Took back ${o}${after(': ', d['reason'])}`,
  configuration_unchanged: (o) => `Asked for ${o}, which runs already`,
  configuration_refused: (o, d) => `Refused ${o}${after(': ', d['reason'])}`,
  user_added: (o, d) => `Added user ${o}${after(', ', d['role'])}`,
  user_removed: (o) => `Removed user ${o}`,
  user_role: (o, d) => `Changed the role of ${o}${after(' to ', d['role'])}`,
  user_password: (o) => `Changed the password of ${o}`,
  pruned: (_, d) =>
    `Dropped ${counted(number(d['entries']), 'old entry', 'old entries')}, up to number ${text(d['through'])}`,
  backup: backedUp,
  restored: (_, d) => `Restored from a backup${after(' of ', d['gateway'])}; a new chain begins`,
  updated: (o) => `Updated ${o}`,
  clock_set: clockSet,
  chain_broken: (o, d) => `Found this log broken: ${text(d['reason']) || o}`,
  break_acknowledged: (_, d) =>
    `Acknowledged a break of this log${after(': ', d['comment'])}; a new chain begins`,
};

/** What was done, in one sentence. */
export function auditSentence(entry: AuditEntry): string {
  const say = SENTENCES[entry.action];
  if (say) return say(entry.object, detailOf(entry));
  const action = entry.action.replaceAll('_', ' ');
  return `${action.charAt(0).toUpperCase()}${action.slice(1)} ${entry.object}`.trim();
}

const PLACES: Record<string, string> = {
  local: 'on the gateway',
  cloud: 'through the cloud',
  rule: 'rule',
  file: 'from the file',
  console: 'console',
  gateway: 'the gateway itself',
};

/** From where: a word, an address, or `cloud` with the address of whoever was logged in there. */
export function auditPlace(source: string): string {
  const [way, address] = source.split(' ', 2);
  if (way === 'cloud' && address) return `through the cloud, from ${address}`;
  return PLACES[source] ?? source;
}

/** Entries a person should look at: wrong passwords, breaks, failures. */
export const isNotable = (entry: AuditEntry): boolean =>
  ['login_failed', 'locked_out', 'claim_failed', 'chain_broken', 'configuration_reverted'].includes(
    entry.action,
  ) ||
  (entry.action === 'backup' && detailOf(entry)['ok'] === false);
