// The history of a gateway's configuration, the newest step first: who, from where, what, and what it
// changed. An earlier version can be run again from here.
import { Button } from '@mantine/core';
import { counted, DataTable, StatusDot, When, Who, type Column, type StateWord } from '@riser/kit';
import type { ConfigurationStep } from '../api/calls';
import { Changes } from './Changes';
import css from './configuration.module.css';

const WORDS: Record<string, StateWord> = {
  configuration: { tone: 'normal', word: 'Applied' },
  configuration_confirmed: { tone: 'normal', word: 'Kept' },
  configuration_reverted: { tone: 'warning', word: 'Taken back' },
  configuration_refused: { tone: 'warning', word: 'Refused' },
  configuration_unchanged: { tone: 'unknown', word: 'Nothing to do' },
};

/** What a step was; a trial that is over is one that was begun. */
function wordOf(step: ConfigurationStep, trial: number | null): StateWord {
  if (step.action === 'configuration' && typeof step.until === 'number')
    return step.version === trial
      ? { tone: 'busy', word: 'On trial' }
      : { tone: 'normal', word: 'Applied on trial' };
  return WORDS[step.action] ?? { tone: 'unknown', word: step.action.replaceAll('_', ' ') };
}

const nameOf = (step: ConfigurationStep) =>
  typeof step.version === 'number' ? `Version ${step.version}` : 'A document';

/** One line for each problem, without the margin they stand in. */
const linesOf = (reason: string) => reason.split('\n').map((line) => line.trim());

function Reason({ reason }: { reason: string }) {
  const [first, ...rest] = linesOf(reason);
  return (
    <>
      <span className={css.reason}>{first}</span>
      {rest.length > 0 && (
        <details className={css.details}>
          <summary>{counted(rest.length, 'more problem')}</summary>
          <span className={css.reason}>{rest.join('\n')}</span>
        </details>
      )}
    </>
  );
}

function What({ step, trial }: { step: ConfigurationStep; trial: number | null }) {
  const count = step.changes.length + step.more_changes;
  return (
    <div className={css.what}>
      <span className={css.head}>
        <strong>{nameOf(step)}</strong>
        <StatusDot state={wordOf(step, trial)} />
      </span>
      {step.note && <span className={css.quiet}>“{step.note}”</span>}
      {step.reason && <Reason reason={step.reason} />}
      {typeof step.back_to === 'number' && (
        <span className={css.quiet}>Version {step.back_to} runs again.</span>
      )}
      {count > 0 && (
        <details className={css.details}>
          <summary>{counted(count, 'change')}</summary>
          <Changes step={step} />
        </details>
      )}
    </div>
  );
}

interface StepsProps {
  steps: readonly ConfigurationStep[];
  running: number | null;
  /** The version on trial. */
  trial: number | null;
  /** Why no other version can be run now, if so. */
  blocked: string | null;
  onAgain: (version: number) => void;
}

export function Steps({ steps, running, trial, blocked, onAgain }: StepsProps) {
  const action = (step: ConfigurationStep) => {
    const { version } = step;
    if (step.action !== 'configuration' || typeof version !== 'number' || version === running) return null;
    return (
      <Button
        variant="default"
        size="compact-md"
        className={css.again}
        disabled={blocked !== null}
        aria-label={`Run again: version ${version}, on trial`}
        onClick={() => onAgain(version)}
      >
        Run again
      </Button>
    );
  };
  const columns: Column<ConfigurationStep>[] = [
    { key: 'at', title: 'When', track: '130px', render: (s) => <When at={s.at} /> },
    {
      key: 'who',
      title: 'Who',
      track: 'minmax(150px, 1fr)',
      render: (s) => <Who actor={s.actor} source={s.source} />,
    },
    {
      key: 'what',
      title: 'What',
      track: 'minmax(260px, 3fr)',
      render: (s) => <What step={s} trial={trial} />,
    },
    {
      key: 'hash',
      title: 'Hash',
      track: '110px',
      wideOnly: true,
      render: (s) => <span className="r-mono">{s.sha256?.slice(0, 12)}</span>,
    },
    { key: 'action', title: '', track: '110px', align: 'end', render: action },
  ];
  return (
    <DataTable
      label="Steps of the configuration, the newest first"
      rows={steps}
      columns={columns}
      rowKey={(s) => `${s.at} ${s.action} ${s.version ?? ''} ${s.request ?? ''}`}
      card={(s) => (
        <div className={css.card}>
          <div className={css.cardHead}>
            <Who actor={s.actor} source={s.source} />
            <When at={s.at} />
          </div>
          <What step={s} trial={trial} />
          {action(s)}
        </div>
      )}
    />
  );
}
