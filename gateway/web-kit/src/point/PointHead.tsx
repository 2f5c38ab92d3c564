// The top of a point's page: the present value, large, with its place in range and its age.
import { newest, useLiveReading } from '../live/LiveProvider';
import type { PointView, Reading } from '../model';
import { Age } from '../value/Age';
import { LimitsBar } from '../value/LimitsBar';
import { QualityBadge } from '../value/QualityBadge';
import { Value } from '../value/Value';
import css from './point.module.css';

/** The newest reading of a fetched point. */
export function usePointReading(point: PointView, liveKey: string): Reading {
  return newest(point, useLiveReading(liveKey));
}

export function PointHead({ point, reading }: { point: PointView; reading: Reading }) {
  return (
    <div className={css.head}>
      <Value point={point} reading={reading} size="large" reason="spoken" />
      <div className={css.headLine}>
        <QualityBadge quality={reading.quality} />
        <span className={css.headAge}>
          <Age at={reading.at} ago never="never read" />
        </span>
      </div>
      <LimitsBar point={point} reading={reading} labelled />
    </div>
  );
}
