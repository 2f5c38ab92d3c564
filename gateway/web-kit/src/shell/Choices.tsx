// A few words to choose one from; scrolls sideways by itself where they do not fit.
import { SegmentedControl } from '@mantine/core';
import css from './Page.module.css';

interface ChoicesProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  choices: readonly { value: string; label: string }[];
}

export function Choices({ label, value, onChange, choices }: ChoicesProps) {
  return (
    <div className={css.choices}>
      <SegmentedControl aria-label={label} value={value} onChange={onChange} data={[...choices]} />
    </div>
  );
}
