// What a person gives in a form made from a description: which inputs are asked, and what is sent of them.
import type { Input, SearchInput } from '../api/calls';

export type Values = Readonly<Record<string, string | boolean>>;

/** The inputs that are asked, given what was said so far. */
export const asked = <T extends Input>(inputs: readonly T[], values: Values): T[] =>
  inputs.filter((input) => {
    const when = 'when' in input ? (input as unknown as SearchInput).when : null;
    return !when || when.values.includes(String(values[when.name] ?? ''));
  });

/** What the inputs offer at first. */
export function offered(
  inputs: readonly SearchInput[],
  given: Readonly<Record<string, unknown>> = {},
): Values {
  const first = inputs.map(({ name, default: value }) => {
    const start = given[name] ?? value;
    const text = Array.isArray(start) ? start.join(', ') : start;
    return [name, typeof text === 'boolean' ? text : said(text)] as const;
  });
  return Object.fromEntries(first);
}

const said = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : '';

/** What is sent: numbers as numbers, what was left empty not at all. */
export function parametersOf(inputs: readonly Input[], values: Values): Record<string, unknown> {
  const given: [string, unknown][] = [];
  for (const { name, takes } of asked(inputs, values)) {
    const value = values[name];
    if (takes.type === 'flag') {
      if (value !== undefined) given.push([name, value === true]);
      continue;
    }
    const text = typeof value === 'string' ? value.trim() : '';
    if (text) given.push([name, takes.type === 'number' ? Number(text) : text]);
  }
  return Object.fromEntries(given);
}

/** Why an input cannot be taken as it is; null where it can. */
export function problemOf(input: Input, value: string | boolean | undefined): string | null {
  const text = typeof value === 'string' ? value.trim() : '';
  const { takes } = input;
  if (takes.type === 'flag') return null;
  if (!text) return input.required ? 'Has to be given' : null;
  if (takes.type !== 'number') return null;
  const number = Number(text);
  return Number.isInteger(number) && number >= takes.min && number <= takes.max
    ? null
    : `A whole number from ${takes.min} to ${takes.max}`;
}
