// Says that the page has lost its live stream, how old it is, and what still works.
import { WifiOff } from 'lucide-react';
import { useNow } from '../clock';
import { formatSpan } from '../format/time';
import { useFeedStatus } from '../live/LiveProvider';
import css from './states.module.css';

/** A short hiccup is not worth a banner. */
const PATIENCE_MS = 2500;

/** For how long the page has been without its live stream, in milliseconds; none while it is there. */
export function useCutOff(): number | null {
  const status = useFeedStatus();
  const gone = useNow() - status.since;
  return status.state === 'open' || status.state === 'closed' || gone < PATIENCE_MS ? null : gone;
}

export function OfflineBanner({ server, still }: { server: string; still: string }) {
  const gone = useCutOff();
  if (gone === null) return null;
  return (
    <div className={css.banner} role="status">
      <WifiOff size={18} aria-hidden />
      <span>
        <strong>No connection to {server}.</strong> What is shown is{' '}
        {formatSpan(Math.floor(gone / 1000) * 1000)} old. {still}
      </span>
    </div>
  );
}
