// Quality as a word with a shape: quiet when good, marked when not.
import { qualityWords } from '../words/quality';
import type { Quality } from '../model';
import css from './QualityBadge.module.css';

export function QualityBadge({ quality }: { quality: Quality }) {
  const words = qualityWords(quality);
  return (
    <span className={`${css.badge} ${css[quality.level]}`} title={words?.meaning}>
      <svg width="12" height="12" viewBox="0 0 12 12" aria-hidden>
        {quality.level === 'good' && <circle cx="6" cy="6" r="3" fill="currentColor" />}
        {quality.level === 'uncertain' && (
          <circle
            cx="6"
            cy="6"
            r="4"
            fill="none"
            stroke="currentColor"
            strokeWidth="2"
            strokeDasharray="2.2 2"
          />
        )}
        {quality.level === 'bad' && (
          <path d="M2.5 2.5l7 7M9.5 2.5l-7 7" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />
        )}
      </svg>
      {words ? words.short : 'good'}
    </span>
  );
}
