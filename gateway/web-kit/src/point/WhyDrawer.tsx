// The same explanation everywhere: tap a value, and a drawer says why it is what it is.
import { Button, Drawer } from '@mantine/core';
import type { ReactNode } from 'react';
import { Link } from '../link';
import { newest, useLiveReading } from '../live/LiveProvider';
import type { PointView } from '../model';
import { useIsPhone } from '../table/DataTable';
import { LimitsBar } from '../value/LimitsBar';
import { Value } from '../value/Value';
import css from './point.module.css';

interface WhyDrawerProps {
  /** The point being explained; null keeps the drawer closed. */
  point: PointView | null;
  liveKey: (point: PointView) => string;
  href: (point: PointView) => string;
  onClose: () => void;
  /** The explanation, which the app fetches. */
  children: ReactNode;
}

export function WhyDrawer({ point, liveKey, href, onClose, children }: WhyDrawerProps) {
  const phone = useIsPhone();
  return (
    <Drawer
      opened={point !== null}
      onClose={onClose}
      position={phone ? 'bottom' : 'right'}
      size={phone ? '82dvh' : 440}
      title={point ? <DrawerTitle point={point} /> : undefined}
      classNames={{ content: css.drawer, header: css.drawerHeader }}
    >
      {point && (
        <div className={css.drawerBody}>
          <DrawerValue point={point} liveKey={liveKey(point)} />
          {children}
          <Link href={href(point)} className={css.open} onClick={onClose}>
            <Button component="span" variant="default" fullWidth tabIndex={-1}>
              Open point
            </Button>
          </Link>
        </div>
      )}
    </Drawer>
  );
}

function DrawerTitle({ point }: { point: PointView }) {
  return (
    <span className={css.drawerTitle}>
      <span className={css.primary}>{point.name}</span>
      <span className={css.secondary}>{point.device_name}</span>
    </span>
  );
}

function DrawerValue({ point, liveKey }: { point: PointView; liveKey: string }) {
  const reading = newest(point, useLiveReading(liveKey));
  return (
    <div>
      <Value point={point} reading={reading} size="large" />
      <LimitsBar point={point} reading={reading} labelled />
    </div>
  );
}
