// What happened to a point, for the time axis of its trend: alarms raised and writes made.
import { authorName, PRIORITY_WORDS, valueSentence, type Marker, type PointView } from '@riser/kit';
import { useMemo } from 'react';
import { useAlarms, useCommands } from '../api/queries';

export function useMarkers(path: string, point: PointView): Marker[] {
  const alarms = useAlarms('all').data;
  const commands = useCommands(path).data;
  return useMemo(() => {
    const raised = (alarms ?? [])
      .filter((a) => a.path === path)
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
  }, [alarms, commands, path, point]);
}
