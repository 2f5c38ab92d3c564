// The way of a value from the field to the cloud, hop by hop, each with its true state.
import type { ReactNode } from 'react';
import { StatusDot } from '../status/StatusDot';
import type { StateWord } from '../words/health';
import css from './Chain.module.css';

export interface Hop {
  name: string;
  state: StateWord;
  text: ReactNode;
}

export function Chain({ hops, label }: { hops: readonly Hop[]; label: string }) {
  return (
    <ol className={css.chain} aria-label={label}>
      {hops.map((hop) => (
        <li key={hop.name} className={`${css.hop} ${css[hop.state.tone]}`}>
          <div className={css.head}>
            <span className={css.name}>{hop.name}</span>
            <StatusDot state={hop.state} strong />
          </div>
          <div className={css.text}>{hop.text}</div>
        </li>
      ))}
    </ol>
  );
}
