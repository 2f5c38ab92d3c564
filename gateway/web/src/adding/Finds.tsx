// What was found, as it comes: where, what it says it is, what fits, what is odd; what is ticked gets a name.
import { Checkbox, Loader, TextInput } from '@mantine/core';
import { EmptyState, ErrorState, Panel, useAnnounce } from '@riser/kit';
import { useEffect } from 'react';
import type { Find, Search } from '../api/calls';
import css from './adding.module.css';
import { changed, ticked, type Choices, type Chosen } from './choice';
import { whatToLookAt } from './nothing';

interface FindsProps {
  search: Search;
  /** Whether a device may name a profile. */
  profiles: boolean;
  choices: Choices;
  onChoose: (choices: Choices) => void;
}

export function Finds({ search, profiles, choices, onChoose }: FindsProps) {
  const announce = useAnnounce();
  const running = search.state === 'running';
  useEffect(() => {
    if (search.state !== 'none') announce(search.words, { visible: false });
  }, [announce, search.state, search.words]);
  const addable = search.finds.filter((find) => find.addable);
  const all = addable.length > 0 && addable.every((find) => choices.has(find.id));
  const some = addable.some((find) => choices.has(find.id));
  const tickAll = () => onChoose(addable.reduce<Choices>((now, find) => ticked(now, find, !all), choices));
  return (
    <Panel
      title="Found"
      aside={
        <span className={css.state}>
          {running && <Loader size={14} aria-hidden />}
          {search.words}
        </span>
      }
      flush
    >
      {search.state === 'failed' && <ErrorState what="The search failed" message={search.words} />}
      {!running && search.state !== 'failed' && search.finds.every(isPointedOut) && (
        <Nothing kind={search.kind} />
      )}
      {running && search.finds.length === 0 && (
        <p className={css.waiting}>What answers appears here at once; you can choose while it goes on.</p>
      )}
      {addable.length > 1 && (
        <div className={css.all}>
          <Checkbox
            label={`All ${addable.length} that can be added`}
            checked={all}
            indeterminate={some && !all}
            onChange={tickAll}
          />
        </div>
      )}
      {search.finds.length > 0 && (
        <ul className={css.finds} aria-label="Finds">
          {search.finds.map((find) => (
            <Entry
              key={find.id}
              find={find}
              profiles={profiles}
              chosen={choices.get(find.id)}
              onTick={(on) => onChoose(ticked(choices, find, on))}
              onChange={(part) => onChoose(changed(choices, find.id, part))}
            />
          ))}
        </ul>
      )}
    </Panel>
  );
}

/** No device, but a place where something stands against finding one. */
const isPointedOut = (find: Find) => !find.addable && !find.known;

function Nothing({ kind }: { kind: string }) {
  return (
    <EmptyState title="Nothing was found">
      <ul className={css.questions}>
        {whatToLookAt(kind).map((question) => (
          <li key={question}>{question}</li>
        ))}
      </ul>
    </EmptyState>
  );
}

interface EntryProps {
  find: Find;
  profiles: boolean;
  chosen: Chosen | undefined;
  onTick: (on: boolean) => void;
  onChange: (part: Partial<Chosen>) => void;
}

function Entry({ find, profiles, chosen, onTick, onChange }: EntryProps) {
  const said = find.identity.map(({ value }) => value).join(' · ');
  const facts = (
    <span className={css.facts} id={`find-${find.id}`}>
      {said && <span>{said}</span>}
      {find.profile && (
        <span>
          Profile <span className="r-mono">{find.profile}</span>
        </span>
      )}
      {find.remark && <span className={css.remark}>{find.remark}</span>}
    </span>
  );
  return (
    <li className={chosen ? css.ticked : undefined}>
      {find.addable ? (
        <>
          <Checkbox
            checked={chosen !== undefined}
            onChange={(event) => onTick(event.currentTarget.checked)}
            label={<strong>{find.address}</strong>}
            aria-describedby={`find-${find.id}`}
          />
          {facts}
        </>
      ) : (
        <div className={css.plain}>
          <strong>{find.address}</strong>
          <span className={css.mark}>
            {find.known ? `Known already, as ${find.known.device || find.known.adapter}` : 'Pointed out'}
          </span>
          {facts}
        </div>
      )}
      {chosen && (
        <Naming find={find} profiles={profiles && !find.profile} chosen={chosen} onChange={onChange} />
      )}
    </li>
  );
}

interface NamingProps {
  find: Find;
  profiles: boolean;
  chosen: Chosen;
  onChange: EntryProps['onChange'];
}

function Naming({ find, profiles, chosen, onChange }: NamingProps) {
  const hasDevice = typeof find.key === 'string';
  return (
    <div className={css.naming}>
      {hasDevice && (
        <>
          <TextInput
            label="Name"
            aria-label={`Name of ${find.address}`}
            placeholder="What people read"
            value={chosen.name}
            onChange={(event) => onChange({ name: event.currentTarget.value })}
          />
          <TextInput
            label="Key"
            aria-label={`Key of ${find.address}`}
            description="Its points become key/…"
            inputWrapperOrder={['label', 'input', 'description', 'error']}
            value={chosen.key}
            autoCapitalize="off"
            autoCorrect="off"
            spellCheck={false}
            onChange={(event) => onChange({ key: event.currentTarget.value })}
          />
        </>
      )}
      {hasDevice && profiles && (
        <TextInput
          label="Profile"
          aria-label={`Profile of ${find.address}`}
          description="What gives it its points; left out, it has none until they are written"
          inputWrapperOrder={['label', 'input', 'description', 'error']}
          value={chosen.profile}
          autoCapitalize="off"
          autoCorrect="off"
          spellCheck={false}
          onChange={(event) => onChange({ profile: event.currentTarget.value })}
        />
      )}
      {find.asks.map((ask) => (
        <TextInput
          key={ask}
          label={`${ask.charAt(0).toUpperCase()}${ask.slice(1).replaceAll('_', ' ')}`}
          aria-label={`${ask} of ${find.address}`}
          required
          value={chosen.values[ask] ?? ''}
          autoCapitalize="off"
          autoCorrect="off"
          spellCheck={false}
          onChange={(event) => onChange({ values: { ...chosen.values, [ask]: event.currentTarget.value } })}
        />
      ))}
    </div>
  );
}
