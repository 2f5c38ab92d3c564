// What adding would do: what stands against it, the lines that change, the points that appear; then on trial.
import { Button } from '@mantine/core';
import {
  Buttons,
  counted,
  Differences,
  formatCount,
  Panel,
  TERMS,
  TermsFields,
  useAnnounce,
} from '@riser/kit';
import { useEffect, useRef, useState } from 'react';
import type { Addition, Find } from '../api/calls';
import { effectSentence } from '../configuration/effects';
import css from './adding.module.css';

interface PreviewProps {
  addition: Addition;
  finds: readonly Find[];
  /** Why nothing can be applied now, if so. */
  blocked: string | null;
  busy: boolean;
  onKey: (id: number, key: string) => void;
  onApply: (terms: { note: string; seconds: number }) => void;
}

/** Points shown before they are counted only. */
const SHOWN = 40;

export function Preview({ addition, finds, blocked, busy, onKey, onApply }: PreviewProps) {
  const [terms, setTerms] = useState(TERMS);
  const { answer, problems } = addition;
  const top = useRef<HTMLDivElement>(null);
  const announce = useAnnounce();
  const found = problems.length > 0 ? counted(problems.length, 'problem') : 'no problem';
  const said = `Preview: ${found}, ${counted(addition.points_total, 'new point')}`;
  useEffect(() => {
    announce(said, { visible: false });
    top.current?.scrollIntoView({ block: 'nearest' });
  }, [announce, said]);
  return (
    <div ref={top}>
      <Panel title="Preview">
        {problems.length > 0 && (
          <ul className={css.problems} aria-label="What stands against it">
            {problems.map((problem) => (
              <li key={`${problem.id ?? ''}${problem.text}`}>
                <span role="alert">
                  {finds.find((f) => f.id === problem.id)?.address && (
                    <strong>{finds.find((f) => f.id === problem.id)?.address}: </strong>
                  )}
                  {problem.text}
                </span>
                {typeof problem.proposal === 'string' && typeof problem.id === 'number' && (
                  <Button
                    variant="default"
                    size="compact-sm"
                    onClick={() => onKey(problem.id as number, problem.proposal as string)}
                  >
                    Use {problem.proposal}
                  </Button>
                )}
              </li>
            ))}
          </ul>
        )}
        {addition.doubts.map((doubt) => (
          <p key={doubt} className={css.doubt}>
            {doubt}
          </p>
        ))}
        {answer && (
          <>
            <p className={css.effect}>{effectSentence(answer.effects)}</p>
            <Points addition={addition} />
            <h3 className={css.h3}>What is written into the configuration</h3>
            <Differences differences={answer.differences} />
            <TermsFields terms={terms} onChange={setTerms} />
            {blocked && <p className={css.doubt}>{blocked}</p>}
            <Buttons>
              <Button onClick={() => onApply(terms)} loading={busy} disabled={blocked !== null}>
                Apply on trial
              </Button>
            </Buttons>
          </>
        )}
      </Panel>
    </div>
  );
}

function Points({ addition }: { addition: Addition }) {
  const { points, points_total: total } = addition;
  if (total === 0)
    return (
      <p className={css.quiet}>
        The configuration names no points: they appear as the adapter finds them, or are added by hand.
      </p>
    );
  const shown = points.slice(0, SHOWN);
  return (
    <>
      <h3 className={css.h3}>Points that appear: {formatCount(total)}</h3>
      <ul className={css.points} aria-label="Points that appear">
        {shown.map((point) => (
          <li key={point.path}>
            <span>{point.name}</span>
            <span className={css.quiet}>
              <span className="r-mono">{point.path}</span>
              {point.unit ? ` · ${point.unit}` : ''}
              {point.writable ? ' · can be written' : ''}
            </span>
          </li>
        ))}
      </ul>
      {total > shown.length && <p className={css.quiet}>and {formatCount(total - shown.length)} more</p>}
    </>
  );
}
