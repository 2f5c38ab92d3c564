// What can be done with an adapter: a form for each operation, asked again where it changes something, and
// what came of it.
import { Button, Modal } from '@mantine/core';
import {
  BoneRows,
  Buttons,
  EmptyState,
  ErrorState,
  messageOf,
  Panel,
  useAnnounce,
  useIsPhone,
} from '@riser/kit';
import { useQueryClient } from '@tanstack/react-query';
import { ChevronRight } from 'lucide-react';
import { useState } from 'react';
import { operate, type OperationView } from '../api/calls';
import { keys, useOperations } from '../api/queries';
import { Inputs } from '../inputs/Inputs';
import { asked, parametersOf, problemOf, type Values } from '../inputs/values';
import css from './adapters.module.css';

/** So many are shown with their forms; of more, one looks for a title first. */
const FEW = 3;

export function Operations({ adapter }: { adapter: string }) {
  const list = useOperations(adapter, true);
  return (
    <Panel title="Operations" flush>
      {list.isPending && <BoneRows rows={3} />}
      {list.error && !list.data && (
        <ErrorState
          what="The operations could not be fetched"
          message={messageOf(list.error)}
          onRetry={() => void list.refetch()}
        />
      )}
      {list.data?.operations.length === 0 && (
        <EmptyState title="No operations">
          This adapter reads and writes points; there is nothing else to do with it.
        </EmptyState>
      )}
      {list.data?.operations.map((operation) => (
        <One
          key={operation.name}
          adapter={adapter}
          operation={operation}
          devices={list.data.devices}
          open={list.data.operations.length <= FEW}
        />
      ))}
    </Panel>
  );
}

type Outcome = { answer: Record<string, unknown> } | { failed: string } | null;

interface OneProps {
  adapter: string;
  operation: OperationView;
  devices: readonly string[];
  /** Whether its form is shown from the beginning. */
  open: boolean;
}

function One({ adapter, operation, devices, open }: OneProps) {
  const queries = useQueryClient();
  const announce = useAnnounce();
  const phone = useIsPhone();
  const [values, setValues] = useState<Values>({});
  const [strict, setStrict] = useState(false);
  const [sure, setSure] = useState(false);
  const [busy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<Outcome>(null);
  const { title, description, fields, confirm, name } = operation;
  const go = () => {
    setSure(false);
    setBusy(true);
    setOutcome(null);
    operate(adapter, name, parametersOf(fields, values))
      .then(
        ({ answer }) => {
          setOutcome({ answer: answer as Record<string, unknown> });
          announce(`${title}: done`);
          void queries.invalidateQueries({ queryKey: keys.operations(adapter) });
        },
        (reason: unknown) => setOutcome({ failed: messageOf(reason) }),
      )
      .finally(() => setBusy(false));
  };
  const submit = () => {
    setStrict(true);
    if (asked(fields, values).some((f) => problemOf(f, values[f.name]) !== null)) return;
    if (confirm) setSure(true);
    else go();
  };
  return (
    <section className={css.operation} aria-label={title}>
      <details open={open}>
        <summary>
          <ChevronRight size={16} aria-hidden />
          <span className={css.names}>
            <h3>{title}</h3>
            <span className={css.quiet}>{description}</span>
          </span>
        </summary>
        <form
          noValidate
          onSubmit={(event) => {
            event.preventDefault();
            submit();
          }}
        >
          <Inputs inputs={fields} values={values} onChange={setValues} strict={strict} devices={devices} />
          <Buttons>
            <Button type="submit" variant={confirm ? 'default' : 'filled'} loading={busy}>
              {title}
            </Button>
          </Buttons>
        </form>
        {outcome && 'failed' in outcome && (
          <p className={css.error} role="alert">
            {outcome.failed}
          </p>
        )}
        {outcome && 'answer' in outcome && <Answer answer={outcome.answer} />}
      </details>
      <Modal opened={sure} onClose={() => setSure(false)} title={`${title}?`} centered={!phone}>
        <p>{description}</p>
        <Said inputs={fields} values={values} />
        <Buttons>
          <Button onClick={go} data-autofocus>
            {title}
          </Button>
          <Button variant="default" onClick={() => setSure(false)}>
            Not now
          </Button>
        </Buttons>
      </Modal>
    </section>
  );
}

function Said({ inputs, values }: { inputs: OperationView['fields']; values: Values }) {
  const given = parametersOf(inputs, values);
  const said = inputs.filter((input) => input.name in given);
  if (said.length === 0) return null;
  return (
    <ul>
      {said.map((input) => (
        <li key={input.name}>
          {input.title}: <strong>{words(given[input.name])}</strong>
        </li>
      ))}
    </ul>
  );
}

function Answer({ answer }: { answer: Record<string, unknown> }) {
  const entries = Object.entries(answer);
  return (
    <div className={css.answer} role="status">
      {entries.length === 0 ? (
        'Done.'
      ) : (
        <dl>
          {entries.map(([name, value]) => (
            <div key={name}>
              <dt className={css.quiet}>{name.replaceAll('_', ' ')}</dt>
              <dd>
                {isText(value) ? <pre>{textOf(value)}</pre> : words(value)}
                {isFile(value) && <Save name={name} text={value} />}
              </dd>
            </div>
          ))}
        </dl>
      )}
    </div>
  );
}

/** Several lines of text: a file. */
const isFile = (value: unknown): value is string => typeof value === 'string' && value.includes('\n');

function Save({ name, text }: { name: string; text: string }) {
  const save = () => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([text], { type: 'text/plain;charset=utf-8' }));
    link.download = `${name}.${text.includes(';') ? 'csv' : 'txt'}`;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  return (
    <Button variant="default" size="xs" onClick={save}>
      Save as file
    </Button>
  );
}

/** What needs lines of its own: structures, and files. */
const isText = (value: unknown) => typeof value === 'object' || isFile(value);

const textOf = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value, null, 2));

function words(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return typeof value === 'string' || typeof value === 'number' ? String(value) : JSON.stringify(value);
}
