// A form made from a description: each input with its title, what it takes, and what is wrong with it.
import { Checkbox, NativeSelect, Textarea, TextInput } from '@mantine/core';
import type { ReactNode } from 'react';
import type { Input } from '../api/calls';
import css from './inputs.module.css';
import { asked, problemOf, type Values } from './values';

interface InputsProps {
  inputs: readonly (Input & { about?: string })[];
  values: Values;
  onChange: (values: Values) => void;
  /** Says what is wrong, not before somebody tried. */
  strict: boolean;
  /** Devices an input can name. */
  devices?: readonly string[];
  /** Below an input: proposals. */
  below?: (input: Input) => ReactNode;
}

export function Inputs({ inputs, values, onChange, strict, devices = [], below }: InputsProps) {
  return (
    <div className={css.inputs}>
      {asked(inputs, values).map((input) => (
        <div key={input.name} className={css.input}>
          <One
            input={input}
            value={values[input.name]}
            devices={devices}
            error={strict ? problemOf(input, values[input.name]) : null}
            onChange={(value) => onChange({ ...values, [input.name]: value })}
          />
          {below?.(input)}
        </div>
      ))}
    </div>
  );
}

/** Fields beside each other stay in line, whatever is said below them. */
const ORDER = ['label', 'input', 'description', 'error'] as const;

interface OneProps {
  input: Input & { about?: string };
  value: string | boolean | undefined;
  devices: readonly string[];
  error: string | null;
  onChange: (value: string | boolean) => void;
}

function One({ input, value, devices, error, onChange }: OneProps) {
  const { takes } = input;
  const text = typeof value === 'string' ? value : '';
  const label = input.title;
  const common = {
    label,
    error,
    description: input.about,
    required: input.required,
    inputWrapperOrder: [...ORDER],
  };
  if (takes.type === 'flag')
    return (
      <Checkbox
        label={label}
        description={input.about}
        checked={value === true}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
    );
  if (takes.type === 'choice' || takes.type === 'device') {
    const choices = takes.type === 'choice' ? takes.choices : [...devices];
    const data = input.required && text ? choices : ['', ...choices];
    return (
      <NativeSelect
        {...common}
        data={data.map((choice) => ({ value: choice, label: choice || 'Choose' }))}
        value={text}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
    );
  }
  if (takes.type === 'lines')
    return (
      <Textarea
        {...common}
        rows={6}
        value={text}
        autoCapitalize="off"
        autoCorrect="off"
        spellCheck={false}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
    );
  return (
    <TextInput
      {...common}
      inputMode={takes.type === 'number' ? 'numeric' : undefined}
      placeholder={takes.type === 'number' ? `${takes.min} to ${takes.max}` : undefined}
      value={text}
      autoCapitalize="off"
      autoCorrect="off"
      spellCheck={false}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}
