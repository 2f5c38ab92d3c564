// Where to look, asked as the protocol describes it, and the way to start and stop.
import { Button } from '@mantine/core';
import { Buttons, Panel, Problems } from '@riser/kit';
import { Search as Lens, Square } from 'lucide-react';
import { useState } from 'react';
import type { Protocol, Search } from '../api/calls';
import { Inputs } from '../inputs/Inputs';
import { asked, offered, parametersOf, problemOf, type Values } from '../inputs/values';
import css from './adding.module.css';

interface SearchFormProps {
  protocol: Protocol;
  networks: readonly string[];
  search: Search | undefined;
  busy: boolean;
  failed: string;
  onStart: (options: Record<string, unknown>) => void;
  onStop: () => void;
}

export function SearchForm({ protocol, networks, search, busy, failed, onStart, onStop }: SearchFormProps) {
  const [values, setValues] = useState<Values>(() => offered(protocol.fields, search?.options ?? {}));
  const [strict, setStrict] = useState(false);
  const running = search?.state === 'running';
  const start = () => {
    setStrict(true);
    const wrong = asked(protocol.fields, values).some((f) => problemOf(f, values[f.name]) !== null);
    if (!wrong) onStart(parametersOf(protocol.fields, values));
  };
  return (
    <Panel title="Where to look">
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (!running) start();
        }}
      >
        {protocol.fields.length === 0 && (
          <p className={css.quiet}>Nothing has to be said: it looks wherever the gateway can.</p>
        )}
        <Inputs
          inputs={protocol.fields}
          values={values}
          onChange={setValues}
          strict={strict}
          below={(input) =>
            ['hosts', 'host', 'network', 'networks'].includes(input.name) && !values[input.name] ? (
              <div className={css.proposals}>
                {networks.map((network) => (
                  <Button
                    key={network}
                    variant="default"
                    size="compact-sm"
                    onClick={() => setValues({ ...values, [input.name]: network })}
                  >
                    {network}
                  </Button>
                ))}
              </div>
            ) : null
          }
        />
        <Problems text={failed} />
        <Buttons>
          {running ? (
            <Button
              variant="default"
              leftSection={<Square size={14} aria-hidden />}
              onClick={onStop}
              loading={busy}
            >
              Stop
            </Button>
          ) : (
            <Button type="submit" leftSection={<Lens size={16} aria-hidden />} loading={busy}>
              {search && search.state !== 'none' ? 'Search again' : 'Search'}
            </Button>
          )}
        </Buttons>
      </form>
    </Panel>
  );
}
