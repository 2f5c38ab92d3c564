// Another document for a gateway: opened from a file or pasted, sent on trial, and what the gateway says.
import { Button } from '@mantine/core';
import {
  Buttons,
  DocumentField,
  OpenFile,
  Panel,
  Problems,
  TERMS,
  TermsFields,
  useAnnounce,
} from '@riser/kit';
import { useEffect, useState } from 'react';
import { applyConfiguration, type ConfigurationStep } from '../api/calls';
import type { Asking } from './useAsking';
import css from './configuration.module.css';

interface PushProps {
  gateway: string;
  asking: Asking;
  /** The gateway's answer to what was asked last. */
  answer: ConfigurationStep | undefined;
  /** Why nothing can be sent now, if so. */
  blocked: string | null;
  /** What happens to it, where that is not at once. */
  hint: string | null;
}

export function Push({ gateway, asking, answer, blocked, hint }: PushProps) {
  const announce = useAnnounce();
  const [text, setText] = useState('');
  const [terms, setTerms] = useState(TERMS);
  const mine = asking.wish === 'apply';
  const waits = asking.waits && mine;
  // What was taken is no draft any more.
  const accepted = mine && (asking.waiting || answer?.action === 'configuration');
  const taken = accepted ? asking.request : null;
  const [cleared, setCleared] = useState(taken);
  if (taken && taken !== cleared) {
    setCleared(taken);
    setText('');
    setTerms(TERMS);
  }
  const { waiting } = asking;
  useEffect(() => {
    if (!taken) return;
    announce(waiting ? 'The document waits for the gateway' : 'The change runs on trial: confirm it in time');
    window.scrollTo(0, 0);
  }, [taken, waiting, announce]);
  const change = (next: string) => {
    setText(next);
    if (mine) asking.forget();
  };
  const send = () =>
    asking.ask(
      'apply',
      applyConfiguration(gateway, { document: text, note: terms.note, confirm_seconds: terms.seconds }),
    );
  return (
    <Panel title="Another document" aside={<OpenFile onText={change} />}>
      <DocumentField value={text} onChange={change} placeholder="Paste the whole document here" />
      <TermsFields terms={terms} onChange={setTerms} />
      {(blocked ?? hint) && <p className={css.hint}>{blocked ?? hint}</p>}
      <Buttons>
        <Button onClick={send} loading={waits} disabled={blocked !== null || text.trim() === ''}>
          Send on trial
        </Button>
        {text !== '' && !waits && (
          <Button variant="default" onClick={() => change('')}>
            Clear
          </Button>
        )}
      </Buttons>
      {mine && <Answer asking={asking} answer={answer} />}
    </Panel>
  );
}

/** What became of a document that was sent. */
function Answer({ asking, answer }: { asking: Asking; answer: ConfigurationStep | undefined }) {
  if (asking.failed) return <Problems text={asking.failed} />;
  if (asking.waits)
    return (
      <p className={css.answer} role="status">
        Sent. The gateway checks it whole before it changes anything.
      </p>
    );
  if (asking.overdue)
    return (
      <Problems text="The gateway has not answered within a minute. Its connection may have ended on the way: as soon as it is back, the history below says what became of it." />
    );
  if (!answer) return null;
  if (answer.action === 'configuration_refused')
    return <Problems text={answer.reason ?? 'The gateway refused it.'} />;
  if (answer.action === 'configuration_unchanged')
    return (
      <p className={css.answer} role="status">
        Version {answer.version} says the same and runs already: nothing was changed.
      </p>
    );
  if (answer.action === 'configuration_reverted')
    return <Problems text={`It was taken back: ${answer.reason ?? 'it could not be carried out'}`} />;
  return (
    <p className={css.answer} role="status">
      The gateway runs it as version {answer.version}.
    </p>
  );
}
