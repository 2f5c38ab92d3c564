// What happened to a point, for the time axis of its trend: alarms raised and writes made.
import { authorName, PRIORITY_WORDS, valueSentence, type Marker, type PointView } from '@riser/kit';
import { useMemo } from 'react';
import type { PointName } from '../api/calls';
import { useAlarms, useCommands } from '../api/queries';

export function useMarkers(name: PointName, point: PointView): Marker[] {
  const alarms = useAlarms('all', name.gateway).data;
  const commands = useCommands(name).data;
  return useMemo(() => {
    const raised = (alarms ?? [])
      .filter((a) => a.path === name.path)
      .map<Marker>((a) => ({
        at: a.raised_at,
        tone: a.priority,
        text: `${PRIORITY_WORDS[a.priority].name} alarm: ${a.message}`,
      }));
    const written = (commands ?? []).map<Marker>(({ command }) => ({
      at: command.issued_at,
      tone: 'write',
      text:
        command.value === null || command.value === undefined
          ? `Released by ${authorName(command.author)}`
          : `${valueSentence(point, command.value)} written by ${authorName(command.author)}`,
    }));
    return [...raised, ...written];
  }, [alarms, commands, name.path, point]);
}
