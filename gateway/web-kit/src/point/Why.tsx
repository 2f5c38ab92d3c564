// Why a point shows what it shows: its quality explained, the way it comes, who holds it, the last write.
import { useNow } from '../clock';
import { counted, formatNumber, formatShare } from '../format/number';
import { formatAgo, formatStamp, formatWhen } from '../format/time';
import { valueSentence } from '../format/value';
import { Link } from '../link';
import type { CommandRecord, DeviceHealth, LaneHealth, Point, PriorityLevel, Reading } from '../model';
import { StatusDot } from '../status/StatusDot';
import { authorName, COMMAND_WORDS, outcomeSentence, priorityName } from '../words/command';
import { DEVICE_WORDS, LANE_WORDS } from '../words/health';
import { qualityWords } from '../words/quality';
import css from './point.module.css';

/** What is known beside the value; a face that does not know a part leaves it undefined. */
export interface PointBackground {
  priority_array?: readonly PriorityLevel[];
  lane?: LaneHealth | null;
  device_health?: DeviceHealth | null;
  last_command?: CommandRecord | null;
}

interface WhyProps {
  point: Point;
  reading: Reading;
  background: PointBackground;
  deviceHref?: string;
}

export function Why({ point, reading, background, deviceHref }: WhyProps) {
  const { priority_array: levels, device_health: device, lane, last_command: last } = background;
  return (
    <dl className={css.why}>
      <Trust point={point} reading={reading} />
      {device && (
        <div>
          <dt>Device</dt>
          <dd>
            <DeviceLine device={device} href={deviceHref} />
          </dd>
        </div>
      )}
      {lane && (
        <div>
          <dt>Lane</dt>
          <dd>
            <StatusDot state={LANE_WORDS[lane.state]} /> <span className="r-mono">{lane.lane}</span>
            <p className={css.detail}>
              {formatShare(lane.utilisation)} busy{lane.last_error ? `. Last error: ${lane.last_error}` : ''}
            </p>
          </dd>
        </div>
      )}
      {point.access !== 'read' && levels && (
        <div>
          <dt>Who holds it</dt>
          <dd>
            <PriorityArray point={point} levels={levels} />
          </dd>
        </div>
      )}
      {last && (
        <div>
          <dt>Last write</dt>
          <dd>
            <LastWrite point={point} record={last} />
          </dd>
        </div>
      )}
    </dl>
  );
}

function Trust({ point, reading }: { point: Point; reading: Reading }) {
  const words = qualityWords(reading.quality);
  const now = useNow();
  return (
    <div>
      <dt>Quality</dt>
      <dd>
        {words ? (
          <>
            <strong className={css.sentence}>{words.short}.</strong> {words.meaning}
            <p className={css.detail}>{words.advice}</p>
          </>
        ) : (
          <>Good: reported by the device, in range and in time.</>
        )}
        <p className={css.detail}>
          {reading.at
            ? `Source time ${formatStamp(reading.at)}, ${formatAgo(now - reading.at)}. `
            : 'Never read. '}
          Counts as stale after {formatNumber(point.stale_after_ms / 1000, 0)} s.
        </p>
      </dd>
    </div>
  );
}

function DeviceLine({ device, href }: { device: DeviceHealth; href?: string }) {
  const now = useNow();
  return (
    <>
      <StatusDot state={DEVICE_WORDS[device.state]} />{' '}
      {href ? (
        <Link href={href} className={css.inline}>
          {device.name}
        </Link>
      ) : (
        device.name
      )}
      <p className={css.detail}>
        {device.last_ok ? `Last good answer ${formatAgo(now - device.last_ok)}` : 'No good answer yet'}
        {typeof device.latency_ms === 'number' &&
          `, in ${formatNumber(device.latency_ms, device.latency_ms < 10 ? 1 : 0)} ms`}
        {device.failures > 0 && `, ${counted(device.failures, 'failure')} in a row`}
        {device.last_error && `. Last error: ${device.last_error}`}
      </p>
    </>
  );
}

/** The levels in use, the winner first; with none, the device decides by itself. */
export function PriorityArray({ point, levels }: { point: Point; levels: readonly PriorityLevel[] }) {
  const now = useNow();
  if (levels.length === 0) return <span>Nobody. The device decides by itself.</span>;
  const ordered = [...levels].sort((a, b) => a.level - b.level);
  return (
    <ul className={css.levels}>
      {ordered.map((l, index) => (
        <li key={l.level} className={index === 0 ? css.winner : css.behind}>
          <span className={css.levelValue}>{valueSentence(point, l.value)}</span>
          <span>
            priority {priorityName(l.level)}, {authorName(l.author)}
            {l.until ? `, until ${formatWhen(l.until, now)}` : ', until released'}
            {index === 0 ? '' : ' (waits behind)'}
          </span>
        </li>
      ))}
    </ul>
  );
}

function LastWrite({ point, record }: { point: Point; record: CommandRecord }) {
  const now = useNow();
  const { command, outcome } = record;
  return (
    <>
      {command.value === null || command.value === undefined
        ? 'Release'
        : valueSentence(point, command.value)}{' '}
      by {authorName(command.author)}, {formatWhen(command.issued_at, now)}:{' '}
      <strong>{COMMAND_WORDS[outcome.state]}</strong>
      {outcome.state !== 'applied' && <p className={css.detail}>{outcomeSentence(record)}</p>}
    </>
  );
}
