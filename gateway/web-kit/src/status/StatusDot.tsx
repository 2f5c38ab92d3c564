// A state as shape, colour and word. Normal is grey; only what needs a person is coloured.
import type { StateWord, Tone } from '../words/health';
import css from './StatusDot.module.css';

function Shape({ tone }: { tone: Tone }) {
  switch (tone) {
    case 'normal':
      return <circle cx="6" cy="6" r="4" fill="currentColor" />;
    case 'busy':
      return (
        <path
          d="M6 1.5A4.5 4.5 0 1 1 1.5 6"
          fill="none"
          stroke="currentColor"
          strokeWidth="2"
          strokeLinecap="round"
        />
      );
    case 'warning':
      return <path d="M6 1.2 11.2 10.4H.8z" fill="currentColor" />;
    case 'fault':
      return (
        <path
          d="M2.4 2.4l7.2 7.2M9.6 2.4 2.4 9.6"
          stroke="currentColor"
          strokeWidth="2.4"
          strokeLinecap="round"
        />
      );
    case 'unknown':
      return (
        <circle
          cx="6"
          cy="6"
          r="4"
          fill="none"
          stroke="currentColor"
          strokeWidth="1.6"
          strokeDasharray="2.1 2"
        />
      );
  }
}

interface StatusDotProps {
  state: StateWord;
  /** Draws the shape alone; the word is still read out. */
  bare?: boolean;
  strong?: boolean;
}

export function StatusDot({ state, bare = false, strong = false }: StatusDotProps) {
  return (
    <span className={`${css.dot} ${css[state.tone]} ${strong ? css.strong : ''}`}>
      <svg width="12" height="12" viewBox="0 0 12 12" aria-hidden>
        <Shape tone={state.tone} />
      </svg>
      <span className={bare ? 'r-visually-hidden' : css.word}>{state.word}</span>
    </span>
  );
}
