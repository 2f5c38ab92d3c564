// The "why" drawer of this app: any page opens it for a point, and it fetches what stands behind.
import {
  BoneBlock,
  ErrorState,
  messageOf,
  newest,
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

export const pointHref = (point: { path: string }): string => `/points/${point.path}`;
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
