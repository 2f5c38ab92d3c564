// Acknowledging an alarm and showing it everywhere at once.
import type { Alarm } from '@riser/kit';
import { useQueryClient } from '@tanstack/react-query';
import { useCallback } from 'react';
import { acknowledge } from '../api/calls';
import { keys } from '../api/queries';

export function useAcknowledge(): (alarm: Alarm, comment: string) => Promise<void> {
  const queries = useQueryClient();
  return useCallback(
    async (alarm: Alarm, comment: string) => {
      const taken = await acknowledge(alarm.id, comment);
      queries.setQueriesData<Alarm[]>({ queryKey: keys.alarms }, (old) =>
        old?.map((a) => (a.id === taken.id ? taken : a)),
      );
      await queries.invalidateQueries({ queryKey: keys.alarms });
      await queries.invalidateQueries({ queryKey: keys.overview });
    },
    [queries],
  );
}
