// Outcomes said aloud and shown briefly: one polite live region and one line at the foot of the page.
import {
  createContext,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
  type ReactNode,
} from 'react';
import css from './announce.module.css';

type Announce = (message: string, options?: { visible?: boolean }) => void;

const AnnounceContext = createContext<Announce>(() => undefined);

const SHOWN_MS = 5000;

export function AnnouncerProvider({ children }: { children: ReactNode }) {
  const [said, setSaid] = useState('');
  const [shown, setShown] = useState<string | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);

  const announce = useCallback<Announce>((message, options) => {
    setSaid(message);
    if (options?.visible === false) return;
    setShown(message);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setShown(null), SHOWN_MS);
  }, []);

  useEffect(() => () => clearTimeout(timer.current), []);
  const value = useMemo(() => announce, [announce]);

  return (
    <AnnounceContext.Provider value={value}>
      {children}
      <div className="r-visually-hidden" role="status" aria-live="polite">
        {said}
      </div>
      {shown !== null && (
        <div className={css.snack} aria-hidden>
          {shown}
        </div>
      )}
    </AnnounceContext.Provider>
  );
}

/** Says an outcome: to assistive technology always, on screen unless `visible` is false. */
export function useAnnounce(): Announce {
  return useContext(AnnounceContext);
}
