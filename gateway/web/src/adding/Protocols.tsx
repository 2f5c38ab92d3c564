// Which protocol: one of them, with a sentence of what it is.
import { Radio } from '@mantine/core';
import { counted } from '@riser/kit';
import type { Protocol } from '../api/calls';
import css from './adding.module.css';

interface ProtocolsProps {
  protocols: readonly Protocol[];
  chosen: string;
  onChoose: (kind: string) => void;
}

export function Protocols({ protocols, chosen, onChoose }: ProtocolsProps) {
  return (
    <Radio.Group value={chosen} onChange={onChoose} aria-label="Protocol">
      <div className={css.protocols}>
        {protocols.map((protocol) => (
          <label
            key={protocol.kind}
            className={`${css.protocol} ${protocol.kind === chosen ? css.chosen : ''}`}
          >
            <Radio value={protocol.kind} aria-describedby={`about-${protocol.kind}`} label={protocol.title} />
            <span id={`about-${protocol.kind}`} className={css.about}>
              {protocol.about.charAt(0).toUpperCase() + protocol.about.slice(1)}
              {!protocol.can_search && '. Cannot be searched for: written into the configuration by hand'}
              {protocol.adapters.length > 0 && ` · ${counted(protocol.adapters.length, 'adapter')} here`}
              {protocol.searching && ' · searching now'}
            </span>
          </label>
        ))}
      </div>
    </Radio.Group>
  );
}
