// Where chosen finds are added: one of the adapters of the protocol, or a new one.
import { Button, NativeSelect, TextInput } from '@mantine/core';
import { Buttons, counted, Panel, Problems } from '@riser/kit';
import type { Protocol } from '../api/calls';
import css from './adding.module.css';
import { freeName, type Target } from './choice';

interface DestinationProps {
  protocol: Protocol;
  target: Target;
  chosen: number;
  busy: boolean;
  failed: string;
  onTarget: (target: Target) => void;
  onPreview: () => void;
}

export function Destination({
  protocol,
  target,
  chosen,
  busy,
  failed,
  onTarget,
  onPreview,
}: DestinationProps) {
  const data = [
    ...protocol.adapters.map((name) => ({ value: name, label: `Adapter ${name}, which runs` })),
    { value: '', label: 'A new adapter' },
  ];
  return (
    <Panel title={`Add ${counted(chosen, 'device')}`}>
      <div className={css.destination}>
        <NativeSelect
          label="To"
          data={data}
          value={target.isNew ? '' : target.adapter}
          onChange={(event) => {
            const adapter = event.currentTarget.value;
            onTarget(
              adapter
                ? { adapter, isNew: false }
                : { adapter: freeName(protocol.kind, protocol.adapters), isNew: true },
            );
          }}
        />
        {target.isNew && (
          <TextInput
            label="Name of the new adapter"
            value={target.adapter}
            autoCapitalize="off"
            spellCheck={false}
            onChange={(event) => onTarget({ adapter: event.currentTarget.value, isNew: true })}
          />
        )}
      </div>
      <Problems text={failed} />
      <Buttons>
        <Button onClick={onPreview} loading={busy} disabled={chosen === 0 || !target.adapter.trim()}>
          Preview
        </Button>
      </Buttons>
    </Panel>
  );
}
