// How old something is, counting on by the page's one timer.
import { formatAge, formatAgo, formatStamp } from '../format/time';
import { useNow } from '../clock';

interface AgeProps {
  at: number | null | undefined;
  /** `12 s ago` instead of `12 s`. */
  ago?: boolean;
  /** What stands there when it never happened. */
  never?: string;
}

export function Age({ at, ago = false, never = 'never' }: AgeProps) {
  const now = useNow();
  if (at === null || at === undefined) return <span>{never}</span>;
  const age = Math.max(0, now - at);
  return (
    <time className="r-numbers" dateTime={new Date(at).toISOString()} title={formatStamp(at)}>
      {ago ? formatAgo(age) : formatAge(age)}
    </time>
  );
}
