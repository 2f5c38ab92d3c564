// Alarm priorities and states in the words of ISA-18.2, and the order in which they matter.
import type { Alarm, AlarmPriority, AlarmState } from '../model';

/** Worst first. */
export const PRIORITIES: readonly AlarmPriority[] = ['critical', 'high', 'medium', 'low'];

export const PRIORITY_WORDS: Record<AlarmPriority, { name: string; act: string }> = {
  critical: { name: 'Critical', act: 'act at once' },
  high: { name: 'High', act: 'act soon' },
  medium: { name: 'Medium', act: 'act today' },
  low: { name: 'Low', act: 'at leisure' },
};

export const ALARM_STATE_WORDS: Record<AlarmState, string> = {
  active_unacknowledged: 'Active, not acknowledged',
  active_acknowledged: 'Active, acknowledged',
  cleared_unacknowledged: 'Cleared, not acknowledged',
  normal: 'Over',
};

export function isActive(state: AlarmState): boolean {
  return state === 'active_unacknowledged' || state === 'active_acknowledged';
}

export function needsAcknowledgement(state: AlarmState): boolean {
  return state === 'active_unacknowledged' || state === 'cleared_unacknowledged';
}

const STATE_ORDER: Record<AlarmState, number> = {
  active_unacknowledged: 0,
  cleared_unacknowledged: 1,
  active_acknowledged: 2,
  normal: 3,
};

/** Unacknowledged before acknowledged, then by priority, then newest first. */
export function byUrgency(a: Alarm, b: Alarm): number {
  return (
    STATE_ORDER[a.state] - STATE_ORDER[b.state] ||
    PRIORITIES.indexOf(a.priority) - PRIORITIES.indexOf(b.priority) ||
    b.raised_at - a.raised_at
  );
}
