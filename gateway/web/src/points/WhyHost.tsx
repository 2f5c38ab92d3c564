// The "why" drawer of this app: any page opens it for a point, and it fetches what stands behind.
import {
  BoneBlock,
  ErrorState,
  messageOf,
  newest,
  ownSubject,
  useLiveReading,
  Why,
  WhyDrawer,
  type PointView,
} from '@riser/kit';
import { createContext, useContext, useState, type ReactNode } from 'react';
import { usePoint } from '../api/queries';

const WhyContext = createContext<(point: PointView) => void>(() => undefined);

/** Opens the explanation of a point's value. */
export function useWhy(): (point: PointView) => void {
  return useContext(WhyContext);
}

const OWN_PAGES: Record<string, string> = { audit: '/audit', backup: '/' };

/** The page of a point; for an alarm about the gateway itself, the page of what it is about. */
export function pointHref({ path }: { path: string }): string {
  const own = ownSubject(path);
  return own === null ? `/points/${path}` : (OWN_PAGES[own] ?? '/');
}

export const liveKey = (point: { path: string }): string => point.path;

export function WhyHost({ children }: { children: ReactNode }) {
  const [point, setPoint] = useState<PointView | null>(null);
  return (
    <WhyContext value={setPoint}>
      {children}
      <WhyDrawer point={point} liveKey={liveKey} href={pointHref} onClose={() => setPoint(null)}>
        {point && <Background path={point.path} />}
      </WhyDrawer>
    </WhyContext>
  );
}

function Background({ path }: { path: string }) {
  const detail = usePoint(path);
  const pushed = useLiveReading(path);
  if (detail.data) {
    const { view } = detail.data;
    return (
      <Why
        point={view}
        reading={newest(view, pushed)}
        background={detail.data}
        deviceHref={detail.data.device_health ? `/devices/${detail.data.device_health.device}` : undefined}
      />
    );
  }
  if (detail.error) {
    return (
      <ErrorState
        what="The explanation could not be fetched"
        message={messageOf(detail.error)}
        onRetry={() => void detail.refetch()}
      />
    );
  }
  return <BoneBlock height={260} />;
}
