// What an adapter is doing, in words.
import type { StateWord } from '@riser/kit';
import type { Adapter } from '../api/calls';

export const ADAPTER_WORDS: Readonly<Record<Adapter['state'], StateWord>> = {
  starting: { tone: 'busy', word: 'Starting' },
  running: { tone: 'normal', word: 'Running' },
  backing_off: { tone: 'warning', word: 'Starts again soon' },
  parked: { tone: 'fault', word: 'Cannot work as configured' },
  quarantined: { tone: 'fault', word: 'Failed again and again' },
  stopped: { tone: 'unknown', word: 'Stopped' },
};
