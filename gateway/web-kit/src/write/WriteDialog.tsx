// Writing a point: choose, see the effect named, do it, see what happened.
import { Button, Modal, NativeSelect } from '@mantine/core';
import { TriangleAlert } from 'lucide-react';
import { useState } from 'react';
import { serverNow } from '../clock';
import { valueSentence } from '../format/value';
import type { CommandRecord, Point, PointValue, PriorityLevel, Reading } from '../model';
import { useIsPhone } from '../table/DataTable';
import { authorName, MANUAL_OPERATOR, priorityName } from '../words/command';
import {
  blockingLevel,
  checkValue,
  effectSentence,
  holdSeconds,
  newId,
  type Hold,
  type WriteRequest,
} from './request';
import { useWriteFlow } from './useWriteFlow';
import { ValueEditor } from './ValueEditor';
import { WriteProgress } from './WriteProgress';
import css from './write.module.css';

export interface WriteDialogProps {
  point: Point;
  reading: Reading;
  /** Levels somebody holds now, where the face knows them. */
  levels?: readonly PriorityLevel[];
  opened: boolean;
  onClose: () => void;
  send: (request: WriteRequest) => Promise<CommandRecord>;
  /** Where a command stands, asked beside the live stream. */
  ask: (id: string) => Promise<CommandRecord>;
}

const HOLDS: { key: string; label: string; hold: Hold }[] = [
  { key: '900', label: '15 minutes', hold: { kind: 'for', seconds: 900 } },
  { key: '3600', label: '1 hour', hold: { kind: 'for', seconds: 3600 } },
  { key: '14400', label: '4 hours', hold: { kind: 'for', seconds: 14_400 } },
  { key: 'today', label: 'Until midnight', hold: { kind: 'today' } },
  { key: 'released', label: 'Until released', hold: { kind: 'released' } },
];
const DEFAULT_HOLD = '3600';

export function WriteDialog(props: WriteDialogProps) {
  const phone = useIsPhone();
  return (
    <Modal
      opened={props.opened}
      onClose={props.onClose}
      title={`Write ${props.point.name}`}
      size={520}
      centered={!phone}
      classNames={{ content: css.content, title: css.title, inner: phone ? css.sheet : undefined }}
    >
      {props.opened && <WriteForm {...props} />}
    </Modal>
  );
}

/** What the editor starts from: the present value where one is known. */
function startValue(point: Point, reading: Reading): PointValue | null {
  if (reading.value !== null && reading.value !== undefined) return reading.value;
  return point.kind === 'bool' ? false : null;
}

function WriteForm({ point, reading, levels = [], onClose, send, ask }: WriteDialogProps) {
  const [value, setValue] = useState<PointValue | null>(() => startValue(point, reading));
  const [touched, setTouched] = useState(false);
  const [priority, setPriority] = useState(MANUAL_OPERATOR);
  const [holdKey, setHoldKey] = useState(DEFAULT_HOLD);
  const flow = useWriteFlow(send, ask);
  const hold = HOLDS.find((h) => h.key === holdKey)?.hold ?? { kind: 'released' };

  const submit = (written: PointValue | null, level = priority) =>
    flow.submit({
      id: newId(),
      value: written,
      priority: level,
      hold_seconds: written === null ? null : holdSeconds(hold, serverNow()),
    });

  if (flow.phase.step !== 'editing') {
    return (
      <WriteProgress
        point={point}
        phase={flow.phase}
        onAgain={flow.reset}
        onRetry={flow.submit}
        onRelease={(level) => submit(null, level)}
        onClose={onClose}
      />
    );
  }

  const problem = checkValue(point, value);
  const held = levels.find((l) => l.level === priority);
  return (
    <form
      className={css.form}
      onSubmit={(event) => {
        event.preventDefault();
        setTouched(true);
        if (!problem) submit(value);
      }}
    >
      <ValueEditor
        point={point}
        value={value}
        onChange={(next) => {
          setTouched(true);
          setValue(next);
        }}
        error={touched ? problem : null}
      />
      <div className={css.pair}>
        <NativeSelect
          label="Hold"
          value={holdKey}
          onChange={(event) => setHoldKey(event.currentTarget.value)}
        >
          {HOLDS.map((h) => (
            <option key={h.key} value={h.key}>
              {h.label}
            </option>
          ))}
        </NativeSelect>
        <NativeSelect
          label="Priority"
          value={String(priority)}
          onChange={(event) => setPriority(Number(event.currentTarget.value))}
        >
          {Array.from({ length: 16 }, (_, i) => i + 1).map((level) => (
            <option key={level} value={level}>
              {priorityName(level)}
            </option>
          ))}
        </NativeSelect>
      </div>
      <Effect
        point={point}
        reading={reading}
        levels={levels}
        write={{ value, priority, hold }}
        valid={!problem}
      />
      <div className={css.actions}>
        {held && (
          <Button variant="default" onClick={() => submit(null)} className={css.release}>
            Release priority {priority}
          </Button>
        )}
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button type="submit" disabled={problem !== null && touched}>
          Write {problem ? '' : valueSentence(point, value)}
        </Button>
      </div>
    </form>
  );
}

interface EffectProps {
  point: Point;
  reading: Reading;
  levels: readonly PriorityLevel[];
  write: { value: PointValue | null; priority: number; hold: Hold };
  valid: boolean;
}

function Effect({ point, reading, levels, write, valid }: EffectProps) {
  const blocking = blockingLevel(levels, write.priority);
  return (
    <div className={css.effect}>
      <div className={css.effectLabel}>This will happen</div>
      <p>
        {valid ? effectSentence(point, reading, write, serverNow()) : 'Nothing yet: give a value that fits.'}
      </p>
      {blocking && (
        <p className={css.warning}>
          <TriangleAlert size={16} aria-hidden />
          <span>
            It will wait: {authorName(blocking.author)} holds {valueSentence(point, blocking.value)} at
            priority {priorityName(blocking.level)}.
          </span>
        </p>
      )}
    </div>
  );
}
