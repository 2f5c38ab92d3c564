// Another document: written or opened from a file, checked before anything happens, then applied on trial.
import { Button, FileButton, NativeSelect, Textarea, TextInput } from '@mantine/core';
import { messageOf, Panel, useAnnounce } from '@riser/kit';
import { useState } from 'react';
import { applyConfiguration, checkConfiguration, type ConfigurationAnswer } from '../api/calls';
import { Differences, effectSentence } from './Changes';
import css from './configuration.module.css';

const WINDOWS = [
  { value: '120', label: '2 minutes' },
  { value: '600', label: '10 minutes' },
  { value: '3600', label: '1 hour' },
  { value: '86400', label: '1 day' },
];

interface EditorProps {
  /** The document that runs. */
  running: string;
  /** Why nothing can be applied now, if so. */
  blocked: string | null;
  onDone: () => Promise<unknown>;
}

export function Editor({ running, blocked, onDone }: EditorProps) {
  const announce = useAnnounce();
  const [edited, setEdited] = useState<string | null>(null);
  const [checked, setChecked] = useState<ConfigurationAnswer | null>(null);
  const [problems, setProblems] = useState('');
  const [note, setNote] = useState('');
  const [seconds, setSeconds] = useState('600');
  const [busy, setBusy] = useState(false);
  const text = edited ?? running;
  const change = (next: string) => {
    setEdited(next === running ? null : next);
    setChecked(null);
    setProblems('');
  };
  const work = (asked: Promise<ConfigurationAnswer>, then: (answer: ConfigurationAnswer) => unknown) => {
    setBusy(true);
    setProblems('');
    asked
      .then(then, (reason: unknown) => {
        setChecked(null);
        setProblems(messageOf(reason));
      })
      .finally(() => setBusy(false));
  };
  const check = () => work(checkConfiguration(text), setChecked);
  const apply = () =>
    work(applyConfiguration({ document: text, note, confirm_seconds: Number(seconds) }), async () => {
      setEdited(null);
      setChecked(null);
      setNote('');
      await onDone();
      announce('The change runs on trial: confirm it in time');
      window.scrollTo(0, 0);
    });
  const open = (file: File | null) => {
    if (file) void file.text().then(change);
  };
  return (
    <Panel
      title="Document"
      aside={
        <FileButton onChange={open} accept=".toml,text/plain">
          {(props) => (
            <Button variant="default" {...props}>
              Open a file
            </Button>
          )}
        </FileButton>
      }
    >
      <Textarea
        aria-label="Document"
        description="TOML. <hidden> stands for a secret and keeps it."
        classNames={{ input: css.document }}
        value={text}
        onChange={(event) => change(event.currentTarget.value)}
        autosize
        minRows={8}
        maxRows={24}
        spellCheck={false}
        autoCapitalize="off"
        autoCorrect="off"
      />
      {problems && (
        <pre className={css.problems} role="alert">
          {problems}
        </pre>
      )}
      {checked && <Checked answer={checked} />}
      {checked?.changed && (
        <div className={css.applying}>
          <TextInput
            label="Why"
            placeholder="For the history"
            maxLength={200}
            value={note}
            onChange={(event) => setNote(event.currentTarget.value)}
          />
          <NativeSelect
            label="Time to confirm it in"
            data={WINDOWS}
            value={seconds}
            onChange={(event) => setSeconds(event.currentTarget.value)}
          />
        </div>
      )}
      {blocked && edited !== null && <p className={css.blocked}>{blocked}</p>}
      <div className={css.buttons}>
        {checked?.changed ? (
          <Button onClick={apply} loading={busy} disabled={blocked !== null}>
            Apply on trial
          </Button>
        ) : (
          <Button onClick={check} loading={busy} disabled={edited === null}>
            Check
          </Button>
        )}
        {edited !== null && (
          <Button variant="default" onClick={() => change(running)} disabled={busy}>
            Discard
          </Button>
        )}
      </div>
    </Panel>
  );
}

function Checked({ answer }: { answer: ConfigurationAnswer }) {
  if (!answer.changed)
    return <p className={css.effect}>It says what runs already: there is nothing to change.</p>;
  return (
    <>
      <p className={css.effect}>{effectSentence(answer.effects)}</p>
      <Differences differences={answer.differences} />
    </>
  );
}
