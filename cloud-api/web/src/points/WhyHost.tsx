// The "why" drawer of the dashboard: any page opens it for a point of a gateway.
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
import { liveKeyOf } from '../live/live';

export interface GatewayPoint {
  gateway: string;
  point: PointView;
}

const WhyContext = createContext<(about: GatewayPoint) => void>(() => undefined);

/** Opens the explanation of a point's value. */
export function useWhy(): (about: GatewayPoint) => void {
  return useContext(WhyContext);
}

/** The page of a point; for an alarm about Riser itself, the page of what it is about. */
export function pointHref(gateway: string, path: string): string {
  const own = ownSubject(path);
  if (own !== null) return own === 'audit' ? `/gateways/${gateway}/audit` : `/gateways/${gateway}`;
  return `/gateways/${gateway}/points/${path}`;
}

export function WhyHost({ children }: { children: ReactNode }) {
  const [about, setAbout] = useState<GatewayPoint | null>(null);
  const gateway = about?.gateway ?? '';
  return (
    <WhyContext value={setAbout}>
      {children}
      <WhyDrawer
        point={about?.point ?? null}
        liveKey={(p) => liveKeyOf(gateway, p.path)}
        href={(p) => pointHref(gateway, p.path)}
        onClose={() => setAbout(null)}
      >
        {about && <Background gateway={gateway} path={about.point.path} />}
      </WhyDrawer>
    </WhyContext>
  );
}

function Background({ gateway, path }: { gateway: string; path: string }) {
  const detail = usePoint({ gateway, path });
  const pushed = useLiveReading(liveKeyOf(gateway, path));
  if (detail.data) {
    const { view } = detail.data;
    return (
      <Why
        point={view}
        reading={newest(view, pushed)}
        background={{ last_command: detail.data.last_command }}
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
  return <BoneBlock height={220} />;
}
