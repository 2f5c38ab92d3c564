// What the live stream says about gateways, alarms and commands, brought into the queries.
import { useFeedStatus, useLiveTopic } from '@riser/kit';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import type { Gateway } from '../api/calls';
import { keys } from '../api/queries';

const SETTLE_MS = 250;

export function LiveBridge() {
  const queries = useQueryClient();
  const due = useRef<ReturnType<typeof setTimeout>>(undefined);
  const { state } = useFeedStatus();
  const wasLost = useRef(false);

  useLiveTopic('alarm', () => {
    // A burst of alarms asks once.
    clearTimeout(due.current);
    due.current = setTimeout(() => {
      void queries.invalidateQueries({ queryKey: keys.alarms });
      void queries.invalidateQueries({ queryKey: keys.gateways });
    }, SETTLE_MS);
  });

  useLiveTopic('gateway', (body) => {
    const gateway = body as Gateway;
    const same = (g: Gateway) => g.id === gateway.id && g.tenant === gateway.tenant;
    const known = queries.getQueryData<Gateway[]>(keys.gateways);
    if (known?.some(same)) {
      queries.setQueryData<Gateway[]>(keys.gateways, (old) => old?.map((g) => (same(g) ? gateway : g)));
    } else {
      // It has connected for the first time.
      void queries.invalidateQueries({ queryKey: keys.gateways });
    }
  });

  useLiveTopic('command', ({ command, gateway }) => {
    const name = { gateway: gateway ?? '', path: command.command.path };
    void queries.invalidateQueries({ queryKey: keys.commands(name) });
    void queries.invalidateQueries({ queryKey: keys.point(name) });
  });

  useEffect(() => {
    // After an outage everything shown may be old.
    if (state === 'lost') wasLost.current = true;
    if (state !== 'open' || !wasLost.current) return;
    wasLost.current = false;
    void queries.invalidateQueries();
  }, [state, queries]);

  useEffect(() => () => clearTimeout(due.current), []);
  return null;
}
