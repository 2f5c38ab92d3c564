// Quality in words: what it is called, what it means, what to do about it.
import type { Quality, Reason } from '../model';

export interface ReasonWords {
  /** Two words at most; stands beside the value. */
  short: string;
  /** What it means. */
  meaning: string;
  /** What to do. */
  advice: string;
}

const REASONS: Record<Reason, ReasonWords> = {
  initial: {
    short: 'not read yet',
    meaning: 'The gateway has not read this point since it started; a value shown is from before.',
    advice: 'It fills in with the next scan. If it stays, look at the device.',
  },
  stale: {
    short: 'stale',
    meaning: 'No new reading came within the time this point allows.',
    advice: 'Look at the device and its lane: one of them is slow or silent.',
  },
  device_down: {
    short: 'device down',
    meaning: 'The device does not answer.',
    advice: 'Check its power, its address and the cable; the device page shows the last error.',
  },
  fault: {
    short: 'fault',
    meaning: 'The device answered with an error for this point.',
    advice: 'Check the address and type of the point against the data sheet.',
  },
  out_of_range: {
    short: 'out of range',
    meaning: 'The value lies outside the limits of the point.',
    advice: 'Check the sensor, its wiring and the scaling.',
  },
  overridden: {
    short: 'overridden',
    meaning: 'Somebody holds this value by hand at the device.',
    advice: 'Set the device back to automatic when the work is done.',
  },
  not_configured: {
    short: 'not configured',
    meaning: 'The device says this point does not exist.',
    advice: 'Check the device profile; another model may be installed.',
  },
  not_available: {
    short: 'not available',
    meaning: 'The device marks the value as not available, as it does when a sensor is missing or broken.',
    advice: 'Check that the sensor is fitted and connected.',
  },
  undecodable: {
    short: 'undecodable',
    meaning: 'The answer of the device could not be decoded.',
    advice: 'Check type, length and byte order of the point.',
  },
  clamped: {
    short: 'clamped',
    meaning: 'The value was held at a limit of the point.',
    advice: 'The true value may lie beyond; check limits and scaling.',
  },
};

/** The words of a quality, or null when it is plainly good. */
export function qualityWords(quality: Quality): ReasonWords | null {
  if (quality.level === 'good') return null;
  if (quality.reason) return REASONS[quality.reason];
  return quality.level === 'bad'
    ? { short: 'bad', meaning: 'The value is not to be used.', advice: 'Look at the device.' }
    : { short: 'uncertain', meaning: 'The value is to be used with care.', advice: 'Look at the device.' };
}
