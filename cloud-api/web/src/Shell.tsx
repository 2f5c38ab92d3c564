// The frame around the dashboard's pages: navigation, search, and which page a URL is.
import {
  AppShell,
  BoneRows,
  needsAcknowledgement,
  OfflineBanner,
  Panel,
  PRIORITIES,
  SearchDialog,
  type AlarmPriority,
  type NavItem,
} from '@riser/kit';
import { Bell, CircleUser, Gauge, Server } from 'lucide-react';
import { lazy, Suspense, useCallback, useEffect, useState } from 'react';
import { Link, Route, Switch, useLocation } from 'wouter';
import { useAlarms } from './api/queries';
import { GatewaysPage } from './pages/GatewaysPage';
import { WhyHost } from './points/WhyHost';
import { find } from './search';
import { useSession } from './session/session';
import css from './Shell.module.css';

const GatewayPage = lazy(() => import('./pages/GatewayPage'));
const PointsPage = lazy(() => import('./pages/PointsPage'));
const PointPage = lazy(() => import('./pages/PointPage'));
const AlarmsPage = lazy(() => import('./pages/AlarmsPage'));
const ConfigurationPage = lazy(() => import('./pages/ConfigurationPage'));
const AuditPage = lazy(() => import('./pages/AuditPage'));
const AccountPage = lazy(() => import('./pages/AccountPage'));
const NotFoundPage = lazy(() => import('./pages/NotFoundPage'));

function useAlarmBadge(): NavItem['badge'] {
  const waiting = (useAlarms('open').data ?? []).filter((a) => needsAcknowledgement(a.state));
  const worst: AlarmPriority = PRIORITIES.find((p) => waiting.some((a) => a.priority === p)) ?? 'low';
  return { count: waiting.length, priority: worst, spoken: `${waiting.length} not acknowledged` };
}

export function Shell() {
  const [location, navigate] = useLocation();
  const [searching, setSearching] = useState(false);
  const { user, tenant } = useSession();
  const badge = useAlarmBadge();
  const openSearch = useCallback(() => setSearching(true), []);
  const closeSearch = useCallback(() => setSearching(false), []);

  useEffect(() => {
    window.scrollTo(0, 0);
  }, [location]);

  const items: NavItem[] = [
    { href: '/', label: 'Gateways', icon: Server },
    { href: '/points', label: 'Points', icon: Gauge },
    { href: '/alarms', label: 'Alarms', icon: Bell, badge },
    { href: '/account', label: 'Account', icon: CircleUser },
  ];
  const isActive = (href: string) =>
    href === '/' ? location === '/' || location.startsWith('/gateways') : location.startsWith(href);
  return (
    <AppShell
      title="Riser"
      subtitle={tenant}
      items={items}
      isActive={isActive}
      onSearch={openSearch}
      banner={
        <OfflineBanner
          server="the cloud"
          still="Gateways work on without it; this page follows as soon as it is back."
        />
      }
      foot={
        <Link href="/account" className={css.foot}>
          <span className={css.footName}>Logged in</span>
          <span className={css.user}>{user.name || user.email}</span>
        </Link>
      }
    >
      <WhyHost>
        <Suspense
          fallback={
            <Panel flush>
              <BoneRows />
            </Panel>
          }
        >
          <Switch>
            <Route path="/" component={GatewaysPage} />
            <Route path="/gateways/:gateway">{(p) => <GatewayPage key={p.gateway} id={p.gateway} />}</Route>
            <Route path="/gateways/:gateway/points/:device/:point">
              {(p) => (
                <PointPage
                  key={`${p.gateway}/${p.device}/${p.point}`}
                  gateway={p.gateway}
                  path={`${p.device}/${p.point}`}
                />
              )}
            </Route>
            <Route path="/gateways/:gateway/configuration">
              {(p) => <ConfigurationPage key={p.gateway} id={p.gateway} />}
            </Route>
            <Route path="/gateways/:gateway/audit">
              {(p) => <AuditPage key={p.gateway} gateway={p.gateway} />}
            </Route>
            <Route path="/points" component={PointsPage} />
            <Route path="/alarms" component={AlarmsPage} />
            <Route path="/account" component={AccountPage} />
            <Route component={NotFoundPage} />
          </Switch>
        </Suspense>
      </WhyHost>
      <SearchDialog
        opened={searching}
        onOpen={openSearch}
        onClose={closeSearch}
        find={find}
        onGo={navigate}
      />
    </AppShell>
  );
}
