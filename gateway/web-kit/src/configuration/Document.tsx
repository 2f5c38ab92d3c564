// Writing a configuration: the document, opened from a file or typed, and the terms it is tried on. Owns how
// they look; what is done with it is the page's.
import { Button, FileButton, NativeSelect, Textarea, TextInput } from '@mantine/core';
import { FileUp } from 'lucide-react';
import type { ReactNode } from 'react';
import css from './configuration.module.css';

/** Opens a document from a file of whoever looks at the page. */
export function OpenFile({ onText }: { onText: (text: string) => void }) {
  const open = (file: File | null) => {
    if (file) void file.text().then(onText);
  };
  return (
    <FileButton onChange={open} accept=".toml,text/plain">
      {(props) => (
        <Button variant="default" leftSection={<FileUp size={16} aria-hidden />} {...props}>
          Open a file
        </Button>
      )}
    </FileButton>
  );
}

interface DocumentFieldProps {
  value: string;
  onChange: (text: string) => void;
  placeholder?: string;
}

export function DocumentField({ value, onChange, placeholder }: DocumentFieldProps) {
  return (
    <Textarea
      aria-label="Document"
      description="TOML. <hidden> stands for a secret and keeps it."
      classNames={{ input: css.document }}
      value={value}
      placeholder={placeholder}
      onChange={(event) => onChange(event.currentTarget.value)}
      autosize
      minRows={8}
      maxRows={24}
      spellCheck={false}
      autoCapitalize="off"
      autoCorrect="off"
    />
  );
}

const WINDOWS = [
  { value: '120', label: '2 minutes' },
  { value: '600', label: '10 minutes' },
  { value: '3600', label: '1 hour' },
  { value: '86400', label: '1 day' },
];

export interface Terms {
  note: string;
  /** How long it may wait to be confirmed, in seconds. */
  seconds: number;
}

export const TERMS: Terms = { note: '', seconds: 600 };

export function TermsFields({ terms, onChange }: { terms: Terms; onChange: (terms: Terms) => void }) {
  return (
    <div className={css.terms}>
      <TextInput
        label="Why"
        placeholder="For the history"
        maxLength={200}
        value={terms.note}
        onChange={(event) => onChange({ ...terms, note: event.currentTarget.value })}
      />
      <NativeSelect
        label="Time to confirm it in"
        data={WINDOWS}
        value={String(terms.seconds)}
        onChange={(event) => onChange({ ...terms, seconds: Number(event.currentTarget.value) })}
      />
    </div>
  );
}

/** Without the margin a list of problems stands in. */
const flush = (text: string): string => text.replace(/^ +/gm, '');

/** Why a document was not taken, one line for each problem. */
export function Problems({ text }: { text: string }) {
  if (!text) return null;
  return (
    <pre className={css.problems} role="alert">
      {flush(text)}
    </pre>
  );
}

/** Buttons below what they are about; beside each other, and as wide as a thumb wants them on a phone. */
export function Buttons({ children }: { children: ReactNode }) {
  return <div className={`${css.buttons} ${css.below}`}>{children}</div>;
}
