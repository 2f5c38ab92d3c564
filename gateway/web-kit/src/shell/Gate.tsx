// The frame of pages before a session: claim, log in. One card, the mark, nothing else.
import type { ReactNode } from 'react';
import { Mark } from '../brand/Mark';
import css from './Gate.module.css';

interface GateProps {
  title: string;
  lead?: ReactNode;
  /** Under the card: what this box is, which version. */
  foot?: ReactNode;
  children: ReactNode;
}

export function Gate({ title, lead, foot, children }: GateProps) {
  return (
    <main className={css.gate}>
      <div className={css.brand}>
        <span className={css.mark}>
          <Mark size={26} />
        </span>
        Riser
      </div>
      <div className={css.card}>
        <h1 className={css.title}>{title}</h1>
        {lead && <div className={css.lead}>{lead}</div>}
        {children}
      </div>
      {foot && <div className={css.foot}>{foot}</div>}
    </main>
  );
}

/** A sentence about what went wrong, said aloud. */
export function GateProblem({ children }: { children: ReactNode }) {
  return (
    <div className={css.problem} role="alert">
      {children}
    </div>
  );
}
