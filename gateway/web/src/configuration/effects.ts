// What a change of the configuration does to what runs, in one sentence.
import type { ConfigurationAnswer } from '../api/calls';

/** What is started again, and what runs on. */
export function effectSentence(effects: ConfigurationAnswer['effects']): string {
  if (effects.whole.length > 0)
    return `Everything starts again, as [${effects.whole.join('], [')}] changes: values pause for a few seconds.`;
  const said = [
    effects.restarted.length > 0 && `restarts ${effects.restarted.join(', ')}`,
    effects.started.length > 0 && `starts ${effects.started.join(', ')}`,
    effects.stopped.length > 0 && `stops ${effects.stopped.join(', ')}`,
    effects.rules && 'swaps the rules',
    effects.schedules && 'swaps the schedules',
    effects.link && 'makes the link to the cloud again',
  ].filter((part): part is string => typeof part === 'string');
  if (said.length === 0) return 'Restarts nothing.';
  const all = said.join('; ');
  return `${all.charAt(0).toUpperCase()}${all.slice(1)}. Everything else runs on.`;
}
