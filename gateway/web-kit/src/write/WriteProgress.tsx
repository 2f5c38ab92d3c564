// What happened to a write, step by step: requested, sent, and the outcome with its reason.
import { Button, Loader } from '@mantine/core';
import { Check, CircleSlash, Clock, Hand, TriangleAlert } from 'lucide-react';
import { formatSeconds } from '../format/time';
import { valueSentence } from '../format/value';
import type { CommandRecord, CommandState, Point } from '../model';
import { COMMAND_WORDS, isFinal, outcomeSentence, priorityName } from '../words/command';
import type { WriteRequest } from './request';
import type { WritePhase } from './useWriteFlow';
import css from './write.module.css';

interface WriteProgressProps {
  point: Point;
  phase: Exclude<WritePhase, { step: 'editing' }>;
  onAgain: () => void;
  /** Sends the same request, same id: it cannot have a second effect. */
  onRetry: (request: WriteRequest) => void;
  onRelease: (priority: number) => void;
  onClose: () => void;
}

export function WriteProgress(props: WriteProgressProps) {
  const { phase, point } = props;
  const record = phase.step === 'followed' ? phase.record : null;
  return (
    <div className={css.form}>
      <p className={css.wanted}>
        {phase.request.value === null
          ? `Release priority ${priorityName(phase.request.priority)}`
          : `${valueSentence(point, phase.request.value)} at priority ${priorityName(phase.request.priority)}`}
      </p>
      <div aria-live="assertive">
        <Steps phase={phase} record={record} point={point} />
      </div>
      <Actions {...props} record={record} />
    </div>
  );
}

function Steps({
  phase,
  record,
  point,
}: {
  phase: WriteProgressProps['phase'];
  record: CommandRecord | null;
  point: Point;
}) {
  if (phase.step === 'unsent') {
    return (
      <ol className={css.steps}>
        <Step mark="bad" title="Not sent" text={phase.message} />
      </ol>
    );
  }
  const state: CommandState = record?.outcome.state ?? 'requested';
  const requested = record !== null;
  const sent = requested && state !== 'requested';
  return (
    <ol className={css.steps}>
      <Step
        mark={requested ? 'done' : 'busy'}
        title="Requested"
        text={record ? formatSeconds(record.command.issued_at) : ''}
      />
      {(!isFinal(state) ||
        state === 'applied' ||
        state === 'accepted_not_effective' ||
        state === 'failed') && (
        <Step mark={sent ? 'done' : requested ? 'busy' : 'waiting'} title="Sent to the device" text="" />
      )}
      {record && isFinal(state) ? (
        <Step
          mark={OUTCOME_MARK[state]}
          title={COMMAND_WORDS[state]}
          text={outcomeText(record, point)}
          strong
        />
      ) : (
        <Step
          mark={sent ? 'busy' : 'waiting'}
          title="Read back"
          text={sent ? 'Waiting for what the device reports.' : ''}
        />
      )}
    </ol>
  );
}

type StepMark = 'done' | 'busy' | 'waiting' | 'good' | 'held' | 'bad' | 'late';

const OUTCOME_MARK: Record<CommandState, StepMark> = {
  requested: 'busy',
  sent: 'busy',
  applied: 'good',
  accepted_not_effective: 'held',
  refused: 'bad',
  expired: 'late',
  failed: 'bad',
};

function outcomeText(record: CommandRecord, point: Point): string {
  const { outcome } = record;
  const read = outcome.read_back;
  const known = read !== null && read !== undefined;
  if (outcome.state === 'applied' && known) return `The device reports ${valueSentence(point, read)}.`;
  const sentence = outcomeSentence(record);
  const full = sentence.endsWith('.') ? sentence : `${sentence}.`;
  return known ? `${full} The device reports ${valueSentence(point, read)}.` : full;
}

function MarkIcon({ mark }: { mark: StepMark }) {
  switch (mark) {
    case 'busy':
      return <Loader size={16} />;
    case 'waiting':
      return <span className={css.hollow} />;
    case 'done':
    case 'good':
      return <Check size={18} />;
    case 'held':
      return <Hand size={18} />;
    case 'late':
      return <Clock size={18} />;
    case 'bad':
      return <TriangleAlert size={18} />;
  }
}

function Step({
  mark,
  title,
  text,
  strong = false,
}: {
  mark: StepMark;
  title: string;
  text: string;
  strong?: boolean;
}) {
  return (
    <li className={`${css.step} ${css[mark]} ${strong ? css.strong : ''}`}>
      <span className={css.mark} aria-hidden>
        <MarkIcon mark={mark} />
      </span>
      <span>
        <span className={css.stepTitle}>{title}</span>
        {text && <span className={css.stepText}>{text}</span>}
      </span>
    </li>
  );
}

function Actions(props: WriteProgressProps & { record: CommandRecord | null }) {
  const { phase, record } = props;
  const state = record?.outcome.state;
  const finished = state !== undefined && isFinal(state);
  const holds =
    finished && phase.request.value !== null && (state === 'applied' || state === 'accepted_not_effective');
  return (
    <div className={css.actions}>
      {phase.step === 'unsent' && (
        <>
          <Button variant="default" onClick={props.onAgain}>
            Change
          </Button>
          <Button onClick={() => props.onRetry(phase.request)}>Send again</Button>
        </>
      )}
      {holds && (
        <Button
          variant="default"
          leftSection={<CircleSlash size={16} aria-hidden />}
          className={css.release}
          onClick={() => props.onRelease(phase.request.priority)}
        >
          Undo: release priority {phase.request.priority}
        </Button>
      )}
      {finished && !holds && phase.request.value !== null && (
        <Button variant="default" onClick={props.onAgain}>
          Change and try again
        </Button>
      )}
      {phase.step !== 'unsent' && (
        <Button variant={finished ? 'filled' : 'default'} onClick={props.onClose}>
          {finished ? 'Done' : 'Close, let it run'}
        </Button>
      )}
    </div>
  );
}
