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
  // What can be looked for comes first: that is what one is here for.
  const ordered = [...protocols].sort((a, b) => Number(b.can_search) - Number(a.can_search));
  return (
    <Radio.Group value={chosen} onChange={onChoose} aria-label="Protocol">
      <div className={css.protocols}>
        {ordered.map((protocol) => (
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
