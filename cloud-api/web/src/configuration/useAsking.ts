// Asking a gateway for something about its configuration, and waiting for its answer: the cloud only sends
// it on, and the gateway's audit log tells under the same name what became of it.
import { messageOf, useNow } from '@riser/kit';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { ConfigurationSent, ConfigurationStep } from '../api/calls';
import { keys } from '../api/queries';

/** A gateway must begin within 30 s; the rest is for trying it and for the way back. */
export const ANSWER_MS = 60_000;

export type Wish = 'apply' | 'keep' | 'back' | 'again';

interface Asked {
  wish: Wish;
  /** When it was asked, by this browser. */
  at: number;
  /** Its name, once the cloud has taken it. */
  request: string | null;
  /** Whether it waits for a gateway that is not connected. */
  waiting: boolean;
  failed: string;
}

export interface Asking {
  /** What is asked or was asked last. */
  wish: Wish | null;
  /** The name the cloud gave it. */
  request: string | null;
  /** No answer yet, and none is overdue. */
  waits: boolean;
  overdue: boolean;
  /** It waits for a gateway that is not connected. */
  waiting: boolean;
  /** Why the cloud did not take it. */
  failed: string;
  ask: (wish: Wish, sent: Promise<ConfigurationSent>) => void;
  /** The gateway's answer among these steps. */
  answer: (steps: readonly ConfigurationStep[]) => ConfigurationStep | undefined;
  forget: () => void;
}

export function useAsking(gateway: string, steps: readonly ConfigurationStep[]): Asking {
  const queries = useQueryClient();
  const now = useNow();
  const [asked, setAsked] = useState<Asked | null>(null);
  const find = (all: readonly ConfigurationStep[]) =>
    asked?.request ? all.find((step) => step.request === asked.request) : undefined;
  const unanswered = asked !== null && asked.failed === '' && find(steps) === undefined;
  const open = unanswered && !asked.waiting;
  const late = open && now - asked.at > ANSWER_MS;
  const ask = (wish: Wish, sent: Promise<ConfigurationSent>) => {
    const begun: Asked = { wish, at: now, request: null, waiting: false, failed: '' };
    setAsked(begun);
    sent.then(
      ({ request, waiting }) => {
        setAsked({ ...begun, request, waiting });
        void queries.invalidateQueries({ queryKey: keys.configuration(gateway) });
      },
      (reason: unknown) => setAsked({ ...begun, failed: messageOf(reason) }),
    );
  };
  return {
    wish: asked?.wish ?? null,
    request: asked?.request ?? null,
    waits: open && !late,
    overdue: late,
    waiting: unanswered && asked.waiting,
    failed: asked?.failed ?? '',
    ask,
    answer: find,
    forget: () => setAsked(null),
  };
}
