// What a person has chosen of the finds, and how it is asked for.
import type { AdditionRequest, Find } from '../api/calls';

export interface Chosen {
  key: string;
  name: string;
  /** A profile, where none was found to fit. */
  profile: string;
  /** What only a person can say. */
  values: Readonly<Record<string, string>>;
}

export type Choices = ReadonlyMap<number, Chosen>;

export const proposal = (find: Find): Chosen => ({
  key: find.key ?? '',
  name: find.name,
  profile: '',
  values: Object.fromEntries(find.asks.map((ask) => [ask, ''])),
});

/** Ticks a find, or not any more. */
export function ticked(choices: Choices, find: Find, on: boolean): Choices {
  const next = new Map(choices);
  if (on) next.set(find.id, next.get(find.id) ?? proposal(find));
  else next.delete(find.id);
  return next;
}

export function changed(choices: Choices, id: number, part: Partial<Chosen>): Choices {
  const old = choices.get(id);
  return old ? new Map(choices).set(id, { ...old, ...part }) : choices;
}

/** The adapter something is added to: `new` and a name, or one that is there. */
export interface Target {
  adapter: string;
  isNew: boolean;
}

/** A name for a new adapter that is not taken. */
export function freeName(kind: string, taken: readonly string[]): string {
  if (!taken.includes(kind)) return kind;
  let number = 2;
  while (taken.includes(`${kind}-${number}`)) number += 1;
  return `${kind}-${number}`;
}

export function request(
  kind: string,
  target: Target,
  choices: Choices,
  finds: readonly Find[],
): AdditionRequest {
  const chosen = finds.flatMap((find) => {
    const choice = choices.get(find.id);
    if (!choice) return [];
    const key = find.key === null || find.key === undefined ? undefined : choice.key.trim();
    return [
      {
        id: find.id,
        key,
        name: choice.name.trim() || undefined,
        profile: choice.profile.trim() || undefined,
        values: { ...choice.values },
      },
    ];
  });
  return { kind, adapter: target.adapter.trim(), new: target.isNew, finds: chosen };
}
