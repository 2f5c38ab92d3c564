// What the live stream says about alarms, commands and the link, brought into the queries.
import { useFeedStatus, useLiveTopic, type LinkStatus } from '@riser/kit';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { keys } from '../api/queries';

const SETTLE_MS = 200;

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
      void queries.invalidateQueries({ queryKey: keys.overview });
    }, SETTLE_MS);
  });

  useLiveTopic('link', (link) => {
    queries.setQueryData<LinkStatus>(keys.link, link);
  });

  useLiveTopic('command', ({ command }) => {
    const { path } = command.command;
    void queries.invalidateQueries({ queryKey: keys.commands(path) });
    void queries.invalidateQueries({ queryKey: keys.point(path) });
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
