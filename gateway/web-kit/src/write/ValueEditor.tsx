// The field a value is given in: switches for two states, a list for many, a number with its limits, text.
import { ActionIcon, NumberInput, Radio, Textarea } from '@mantine/core';
import { Minus, Plus } from 'lucide-react';
import { decimalsFor, stateText, valueSentence } from '../format/value';
import type { Point, PointValue } from '../model';
import css from './write.module.css';

interface EditorProps {
  point: Point;
  value: PointValue | null;
  onChange: (value: PointValue | null) => void;
  error: string | null;
}

export function ValueEditor(props: EditorProps) {
  switch (props.point.kind) {
    case 'bool':
    case 'enum':
      return <StateEditor {...props} />;
    case 'integer':
    case 'float':
      return <NumberEditor {...props} />;
    case 'text':
      return (
        <Textarea
          label="New text"
          data-autofocus
          autosize={false}
          rows={3}
          maxLength={4096}
          value={typeof props.value === 'string' ? props.value : ''}
          onChange={(event) => props.onChange(event.currentTarget.value)}
          error={props.error}
        />
      );
  }
}

function StateEditor({ point, value, onChange }: EditorProps) {
  const states = point.kind === 'bool' ? [0, 1] : (point.labels ?? []).map((l) => l.state);
  const chosen = value === null ? '' : String(Number(value));
  const give = (text: string) => onChange(point.kind === 'bool' ? text === '1' : Number(text));
  return (
    <Radio.Group label="New state" value={chosen} onChange={give}>
      <div className={css.states}>
        {states.map((state) => (
          <Radio.Card key={state} value={String(state)} className={css.state}>
            <Radio.Indicator />
            <span>{stateText(point, state)}</span>
          </Radio.Card>
        ))}
      </div>
    </Radio.Group>
  );
}

function limitsText(point: Point): string | undefined {
  const { min, max } = point.limits ?? {};
  const low = min ?? null;
  const high = max ?? null;
  if (low !== null && high !== null)
    return `Between ${valueSentence(point, low)} and ${valueSentence(point, high)}`;
  if (low !== null) return `At least ${valueSentence(point, low)}`;
  return high === null ? undefined : `At most ${valueSentence(point, high)}`;
}

function NumberEditor({ point, value, onChange, error }: EditorProps) {
  const decimals = decimalsFor(point);
  const step = point.limits?.step ?? (point.kind === 'integer' ? 1 : 10 ** -decimals);
  const number = typeof value === 'number' ? value : null;
  const nudge = (by: number) => onChange(Number(((number ?? point.limits?.min ?? 0) + by * step).toFixed(6)));
  return (
    <div className={css.number}>
      <NumberInput
        className={css.numberField}
        label="New value"
        description={limitsText(point)}
        data-autofocus
        value={number ?? ''}
        onChange={(next) => onChange(typeof next === 'number' ? next : next === '' ? null : Number(next))}
        allowDecimal={point.kind === 'float'}
        decimalScale={Math.max(decimals, 6)}
        step={step}
        hideControls
        inputMode="decimal"
        suffix={point.unit ? ` ${point.unit}` : undefined}
        error={error}
      />
      <ActionIcon
        variant="default"
        aria-label={`Lower by ${valueSentence(point, step)}`}
        onClick={() => nudge(-1)}
      >
        <Minus size={18} />
      </ActionIcon>
      <ActionIcon
        variant="default"
        aria-label={`Raise by ${valueSentence(point, step)}`}
        onClick={() => nudge(1)}
      >
        <Plus size={18} />
      </ActionIcon>
    </div>
  );
}
