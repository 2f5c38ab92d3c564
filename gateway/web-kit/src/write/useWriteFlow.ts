// A write from the button to its outcome: sent once under one id, then followed by the live stream
// and, beside it, by asking; the outcome that is further along wins.
import { useCallback, useEffect, useRef, useState } from 'react';
import { useLiveTopic } from '../live/LiveProvider';
import type { CommandRecord, CommandState } from '../model';
import { isFinal } from '../words/command';
import type { WriteRequest } from './request';

export type WritePhase =
  | { step: 'editing' }
  | { step: 'sending'; request: WriteRequest }
  | { step: 'unsent'; request: WriteRequest; message: string }
  | { step: 'followed'; request: WriteRequest; record: CommandRecord };

export interface WriteFlow {
  phase: WritePhase;
  submit: (request: WriteRequest) => void;
  reset: () => void;
}

const ASK_EVERY_MS = 1000;

const ORDER: CommandState[] = ['requested', 'sent'];

function rank(state: CommandState): number {
  return isFinal(state) ? ORDER.length : ORDER.indexOf(state);
}

function further(current: CommandRecord, next: CommandRecord): CommandRecord {
  return rank(next.outcome.state) > rank(current.outcome.state) ? next : current;
}

export function useWriteFlow(
  send: (request: WriteRequest) => Promise<CommandRecord>,
  ask: (id: string) => Promise<CommandRecord>,
): WriteFlow {
  const [phase, setPhase] = useState<WritePhase>({ step: 'editing' });
  const current = useRef<string | null>(null);
  const asking = useRef(ask);
  useEffect(() => {
    asking.current = ask;
  });

  const advance = useCallback((record: CommandRecord) => {
    setPhase((p) => {
      if (p.step === 'editing' || p.request.id !== record.command.id) return p;
      if (p.step !== 'followed') return { step: 'followed', request: p.request, record };
      const best = further(p.record, record);
      return best === p.record ? p : { ...p, record: best };
    });
  }, []);

  useLiveTopic('command', ({ command }) => advance(command));

  const waitingFor =
    phase.step === 'followed' && !isFinal(phase.record.outcome.state) ? phase.request.id : null;
  useEffect(() => {
    if (!waitingFor) return;
    const timer = setInterval(() => {
      // A failed question is asked again a second later; the banner tells of a lost connection.
      asking.current(waitingFor).then(advance, () => undefined);
    }, ASK_EVERY_MS);
    return () => clearInterval(timer);
  }, [waitingFor, advance]);

  const submit = useCallback(
    (request: WriteRequest) => {
      current.current = request.id;
      setPhase({ step: 'sending', request });
      send(request).then(advance, (reason: unknown) => {
        if (current.current !== request.id) return;
        const message = reason instanceof Error ? reason.message : String(reason);
        setPhase((p) => (p.step === 'sending' ? { step: 'unsent', request, message } : p));
      });
    },
    [send, advance],
  );

  const reset = useCallback(() => {
    current.current = null;
    setPhase({ step: 'editing' });
  }, []);

  return { phase, submit, reset };
}
