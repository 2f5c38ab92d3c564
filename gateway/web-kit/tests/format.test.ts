// Numbers, times and values in words.
import { describe, expect, test } from 'vitest';
import { decimalsOfStep, formatBytes, formatNumber, formatPlain } from '../src/format/number';
import { formatAge, formatSpan, formatWhen } from '../src/format/time';
import { valueSentence, valueText } from '../src/format/value';
import { SETPOINT } from './kit';

const plain = (text: string) => text.replaceAll('\u202f', ' ');

describe('numbers', () => {
  test('resolution follows the step', () => {
    expect([0.1, 0.25, 0.5, 1, 10, 0.001].map(decimalsOfStep)).toEqual([1, 2, 1, 0, 0, 3]);
  });

  test('thousands have thin spaces and negatives a true minus', () => {
    expect(formatNumber(1234567.891, 1)).toBe('1\u202f234\u202f567.9');
    expect(formatNumber(-0.04, 1)).toBe('0.0');
    expect(formatNumber(-12.5, 1)).toBe('\u221212.5');
  });

  test('a number without a point keeps four figures and no trailing zeros', () => {
    expect([0.02, 3, 15.2, 1214, 231.456].map(formatPlain).map(plain)).toEqual([
      '0.02',
      '3',
      '15.2',
      '1 214',
      '231.5',
    ]);
  });

  test('octets take a decimal prefix', () => {
    expect([999, 1500, 3_140_000, 412_000_000].map(formatBytes).map(plain)).toEqual([
      '999 B',
      '1.5 kB',
      '3.1 MB',
      '412 MB',
    ]);
  });
});

describe('times', () => {
  test('an age is one unit', () => {
    expect([0, 12_400, 240_000, 7_200_000, 5 * 86_400_000].map(formatAge).map(plain)).toEqual([
      'now',
      '12 s',
      '4 min',
      '2 h',
      '5 d',
    ]);
  });

  test('a span is at most two units', () => {
    expect([84, 5_400_000, 1_051_200_000].map(formatSpan).map(plain)).toEqual([
      '84 ms',
      '1 h 30 min',
      '12 d 4 h',
    ]);
  });

  test('a moment of another day says the day', () => {
    const now = new Date(2026, 10, 21, 14, 30).getTime();
    expect(formatWhen(new Date(2026, 10, 21, 9, 5).getTime(), now)).toBe('09:05');
    expect(formatWhen(new Date(2026, 10, 20, 9, 5).getTime(), now)).toBe('20 Nov 09:05');
  });
});

describe('values', () => {
  test('unknown is never a number', () => {
    expect(valueText(SETPOINT, null)).toBeNull();
    expect(valueText(SETPOINT, Number.NaN)).toBeNull();
    expect(valueSentence(SETPOINT, undefined)).toBe('unknown');
  });

  test('zero is a value', () => {
    expect(plain(valueSentence(SETPOINT, 0))).toBe('0.0 °C');
  });

  test('states have their labels, or say that they have none', () => {
    const mode = { ...SETPOINT, kind: 'enum' as const, unit: null, labels: [{ state: 2, text: 'Comfort' }] };
    expect(valueSentence(mode, 2)).toBe('Comfort');
    expect(valueSentence(mode, 7)).toBe('State 7');
    expect(valueSentence({ ...mode, kind: 'bool', labels: [] }, true)).toBe('On');
  });

  test('a unit gives the resolution where the point names no step', () => {
    const energy = { kind: 'float' as const, unit: 'kWh' };
    expect(plain(valueSentence(energy, 184230.44))).toBe('184 230.4 kWh');
    expect(plain(valueSentence({ kind: 'float', unit: 'ppm' }, 612.4))).toBe('612 ppm');
  });
});
