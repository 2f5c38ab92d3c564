// Another document: written or opened from a file, checked before anything happens, then applied on trial.
import { Button } from '@mantine/core';
import {
  Buttons,
  Differences,
  DocumentField,
  messageOf,
  OpenFile,
  Panel,
  Problems,
  TERMS,
  TermsFields,
  useAnnounce,
} from '@riser/kit';
import { useEffect, useRef, useState } from 'react';
import { applyConfiguration, checkConfiguration, type ConfigurationAnswer } from '../api/calls';
import { effectSentence } from './effects';
import css from './configuration.module.css';

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
  const [terms, setTerms] = useState(TERMS);
  const [busy, setBusy] = useState(false);
  const next = useRef<HTMLButtonElement>(null);
  const text = edited ?? running;
  const change = (next: string) => {
    setEdited(next === running ? null : next);
    setChecked(null);
    setProblems('');
  };
  // A button that is busy loses the focus; whoever works by keyboard goes on where they were.
  const held = useRef(false);
  useEffect(() => {
    if (busy || !held.current) return;
    held.current = false;
    const lost = document.activeElement === null || document.activeElement === document.body;
    if (lost) next.current?.focus({ preventScroll: true });
  }, [busy]);
  const work = (asked: Promise<ConfigurationAnswer>, then: (answer: ConfigurationAnswer) => unknown) => {
    held.current = document.activeElement === next.current;
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
    work(
      applyConfiguration({ document: text, note: terms.note, confirm_seconds: terms.seconds }),
      async () => {
        setEdited(null);
        setChecked(null);
        setTerms(TERMS);
        await onDone();
        announce('The change runs on trial: confirm it in time');
        window.scrollTo(0, 0);
      },
    );
  return (
    <Panel title="Document" aside={<OpenFile onText={change} />}>
      <DocumentField value={text} onChange={change} />
      <Problems text={problems} />
      {checked && <Checked answer={checked} />}
      {checked?.changed && <TermsFields terms={terms} onChange={setTerms} />}
      {blocked && edited !== null && <p className={css.blocked}>{blocked}</p>}
      <Buttons>
        {checked?.changed ? (
          <Button ref={next} onClick={apply} loading={busy} disabled={blocked !== null}>
            Apply on trial
          </Button>
        ) : (
          <Button ref={next} onClick={check} loading={busy} disabled={edited === null}>
            Check
          </Button>
        )}
        {edited !== null && (
          <Button variant="default" onClick={() => change(running)} disabled={busy}>
            Discard
          </Button>
        )}
      </Buttons>
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
