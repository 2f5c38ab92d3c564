// '/' or the lens: finds points, devices and pages. What is found is the app's; the keys are the kit's.
import { Modal } from '@mantine/core';
import { useDebouncedValue, useHotkeys } from '@mantine/hooks';
import { Search } from 'lucide-react';
import { useEffect, useId, useState, type KeyboardEvent } from 'react';
import css from './SearchDialog.module.css';

export interface Hit {
  href: string;
  title: string;
  detail: string;
  /** What kind of thing it is: Page, Device, Point. */
  kind: string;
}

interface SearchDialogProps {
  opened: boolean;
  onOpen: () => void;
  onClose: () => void;
  /** Finds things by text; an empty text lists the pages. */
  find: (text: string) => Promise<Hit[]>;
  onGo: (href: string) => void;
}

export function SearchDialog({ opened, onOpen, onClose, find, onGo }: SearchDialogProps) {
  useHotkeys([
    ['/', onOpen],
    ['mod+K', onOpen],
  ]);
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      withCloseButton={false}
      padding={0}
      size={600}
      yOffset="12dvh"
      attributes={{ content: { 'aria-label': 'Search' } }}
      classNames={{ content: css.content }}
    >
      {opened && (
        <SearchForm
          find={find}
          onGo={(href) => {
            onClose();
            onGo(href);
          }}
        />
      )}
    </Modal>
  );
}

function useHits(find: (text: string) => Promise<Hit[]>, text: string) {
  const [found, setFound] = useState<{ text: string | null; hits: Hit[] }>({ text: null, hits: [] });
  const [failed, setFailed] = useState<string | null>(null);
  const [settled] = useDebouncedValue(text, 120);
  useEffect(() => {
    let current = true;
    find(settled).then(
      (hits) => {
        if (!current) return;
        setFound({ text: settled, hits });
        setFailed(null);
      },
      (reason: unknown) => {
        if (current) setFailed(reason instanceof Error ? reason.message : String(reason));
      },
    );
    return () => {
      current = false;
    };
  }, [find, settled]);
  return { hits: found.hits, fresh: found.text === text, failed };
}

function SearchForm({ find, onGo }: Pick<SearchDialogProps, 'find' | 'onGo'>) {
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState(0);
  // Enter was pressed before what is wanted had been found.
  const [going, setGoing] = useState(false);
  const { hits, fresh, failed } = useHits(find, text.trim());
  const list = useId();
  const active = hits[Math.min(chosen, hits.length - 1)];

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown') setChosen((c) => Math.min(c + 1, hits.length - 1));
    else if (event.key === 'ArrowUp') setChosen((c) => Math.max(c - 1, 0));
    else if (event.key !== 'Enter') return;
    else if (!fresh) setGoing(true);
    else if (active) onGo(active.href);
    event.preventDefault();
  };

  const target = going && fresh ? active?.href : undefined;
  useEffect(() => {
    if (target) onGo(target);
  }, [target, onGo]);

  return (
    <div>
      <div className={css.field}>
        <Search size={18} aria-hidden />
        <input
          className={css.input}
          data-autofocus
          role="combobox"
          aria-label="Search points, devices and pages"
          aria-expanded={hits.length > 0}
          aria-controls={list}
          aria-activedescendant={active ? `${list}-${hits.indexOf(active)}` : undefined}
          placeholder="Point, device or page"
          autoComplete="off"
          spellCheck={false}
          value={text}
          onChange={(event) => {
            setText(event.currentTarget.value);
            setChosen(0);
            setGoing(false);
          }}
          onKeyDown={onKeyDown}
        />
      </div>
      <div id={list} role="listbox" aria-label="Found" className={css.list}>
        {hits.map((hit, index) => (
          // The keys are on the field above, as the combobox pattern has it; the pointer is a second way.
          // eslint-disable-next-line jsx-a11y/click-events-have-key-events
          <div
            key={hit.href}
            id={`${list}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={hit === active}
            className={`${css.hit} ${hit === active ? css.chosen : ''}`}
            onClick={() => onGo(hit.href)}
            onPointerMove={() => setChosen(index)}
          >
            <span className={css.titles}>
              <span className={css.title}>{hit.title}</span>
              <span className={css.detail}>{hit.detail}</span>
            </span>
            <span className={css.kind}>{hit.kind}</span>
          </div>
        ))}
      </div>
      <div className={css.foot} role="status">
        {failed ??
          (hits.length === 0 ? (
            `Nothing found for “${text}”.`
          ) : (
            <span className={css.keys}>Arrow keys choose, Enter opens, Escape closes.</span>
          ))}
      </div>
    </div>
  );
}
