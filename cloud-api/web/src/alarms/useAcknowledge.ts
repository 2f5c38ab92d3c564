// Acknowledging an alarm of a gateway and showing it everywhere at once.
import { useQueryClient } from '@tanstack/react-query';
import { useCallback } from 'react';
import { acknowledge, type GatewayAlarm } from '../api/calls';
import { keys } from '../api/queries';

export function useAcknowledge(): (alarm: GatewayAlarm, comment: string) => Promise<void> {
  const queries = useQueryClient();
  return useCallback(
    async (alarm: GatewayAlarm, comment: string) => {
      const taken = await acknowledge(alarm, comment);
      queries.setQueriesData<GatewayAlarm[]>({ queryKey: keys.alarms }, (old) =>
        old?.map((a) => (a.id === taken.id ? taken : a)),
      );
      await queries.invalidateQueries({ queryKey: keys.alarms });
    },
    [queries],
  );
}
