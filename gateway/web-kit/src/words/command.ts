// What happened to a write, in words, and the names of the write priorities (BACnet clause 19.2).
import type { Author, CommandRecord, CommandState } from '../model';

export const COMMAND_WORDS: Record<CommandState, string> = {
  requested: 'Requested',
  sent: 'Sent',
  applied: 'Applied',
  accepted_not_effective: 'Accepted, not effective',
  refused: 'Refused',
  expired: 'Expired',
  failed: 'Failed',
};

/** True once nothing more will happen. */
export function isFinal(state: CommandState): boolean {
  return state !== 'requested' && state !== 'sent';
}

const LEVELS: Record<number, string> = {
  1: 'Manual life safety',
  2: 'Automatic life safety',
  5: 'Critical equipment',
  6: 'Minimum on/off',
  8: 'Manual operator',
  16: 'Lowest',
};

/** The level people write at. */
export const MANUAL_OPERATOR = 8;

/** `8, manual operator` or just `9`. */
export function priorityName(level: number): string {
  const name = LEVELS[level];
  return name ? `${level}, ${name.toLowerCase()}` : String(level);
}

/** `anna (on this gateway)`, `rule frost-guard`. */
export function authorName(author: Author | null | undefined): string {
  if (!author) return 'the device itself';
  if (author.kind === 'rule') return `rule ${author.name}`;
  return author.kind === 'cloud' ? `${author.name} (from the cloud)` : author.name;
}

/** The last line of a write: what happened and why. */
export function outcomeSentence(record: CommandRecord): string {
  const { outcome } = record;
  const why = outcome.detail ? `: ${outcome.detail}` : '';
  switch (outcome.state) {
    case 'requested':
      return 'Waiting to be handed to the device.';
    case 'sent':
      return 'Handed to the device; waiting for its answer and the read-back.';
    case 'applied':
      return 'The device reports the new value.';
    case 'accepted_not_effective':
      return outcome.held_by
        ? `Accepted, but ${authorName(outcome.held_by.author)} holds the point at priority ${priorityName(outcome.held_by.priority)}`
        : `Accepted, but the device holds another value${why}`;
    case 'refused':
      return `Refused${why}`;
    case 'expired':
      return `Expired before it could be begun${why}`;
    case 'failed':
      return `Not known to have worked${why}`;
  }
}
