// Times in the zone of the person, ages and spans in words. Owns no clock: "now" is given.

const THIN = '\u202f';
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const time = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const seconds = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const year = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });

/** `14:02` */
export function formatTime(at: number): string {
  return time.format(at);
}

/** `14:02:11` */
export function formatSeconds(at: number): string {
  return seconds.format(at);
}

/** `21 Nov` */
export function formatDay(at: number): string {
  return day.format(at);
}

/** `14:02` today, `21 Nov 14:02` this year, `21 Nov 2024 14:02` before. */
export function formatWhen(at: number, now: number): string {
  const a = new Date(at);
  const n = new Date(now);
  if (a.toDateString() === n.toDateString()) return time.format(at);
  const date = a.getFullYear() === n.getFullYear() ? day : year;
  return `${date.format(at)} ${time.format(at)}`;
}

/** Full stamp with seconds, for details and tooltips: `21 Nov 2025 14:02:11`. */
export function formatStamp(at: number): string {
  return `${year.format(at)} ${seconds.format(at)}`;
}

/** How long ago, in one unit: `now`, `12 s`, `4 min`, `3 h`, `5 d`. */
export function formatAge(ms: number): string {
  if (ms < 1500) return 'now';
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)}${THIN}s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)}${THIN}min`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)}${THIN}h`;
  return `${Math.floor(ms / DAY)}${THIN}d`;
}

/** `12 s ago`, or `now`. */
export function formatAgo(ms: number): string {
  const age = formatAge(ms);
  return age === 'now' ? 'just now' : `${age} ago`;
}

/** How long something took; what is faster than the clock can tell is not zero. */
export function formatDelay(ms: number): string {
  return ms < 1 ? `under 1${THIN}ms` : formatSpan(ms);
}

/** A span in at most two units: `84 ms`, `1 h 30 min`, `12 d 4 h`. */
export function formatSpan(ms: number): string {
  const whole = Math.max(0, Math.round(ms));
  if (whole < SECOND) return `${whole}${THIN}ms`;
  const parts: [number, string][] = [
    [Math.floor(whole / DAY), 'd'],
    [Math.floor((whole % DAY) / HOUR), 'h'],
    [Math.floor((whole % HOUR) / MINUTE), 'min'],
    [Math.floor((whole % MINUTE) / SECOND), 's'],
  ];
  const first = parts.findIndex(([n]) => n > 0);
  return parts
    .slice(first, first + 2)
    .filter(([n]) => n > 0)
    .map(([n, unit]) => `${n}${THIN}${unit}`)
    .join(' ');
}
