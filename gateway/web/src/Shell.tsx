// The frame around the pages: navigation, search, the state of the link, and which page a URL is.
import {
  AppShell,
  BoneRows,
  LINK_WORDS,
  OfflineBanner,
  Panel,
  PRIORITIES,
  SearchDialog,
  StatusDot,
  useCutOff,
  type AlarmPriority,
  type LinkState,
  type NavItem,
  type StateWord,
} from '@riser/kit';
import { Bell, Cpu, Gauge, House, Settings } from 'lucide-react';
import { lazy, Suspense, useCallback, useEffect, useState } from 'react';
import { Link, Route, Switch, useLocation } from 'wouter';
import { useAlarms, useOverview } from './api/queries';
import { HomePage } from './pages/HomePage';
import { find } from './search';
import { WhyHost } from './points/WhyHost';
import { useSession } from './session/session';
import css from './Shell.module.css';
import { isRecord } from './trail';

const PointsPage = lazy(() => import('./pages/PointsPage'));
const PointPage = lazy(() => import('./pages/PointPage'));
const DevicesPage = lazy(() => import('./pages/DevicesPage'));
const DevicePage = lazy(() => import('./pages/DevicePage'));
const AddDevicesPage = lazy(() => import('./pages/AddDevicesPage'));
const AdapterPage = lazy(() => import('./pages/AdapterPage'));
const AlarmsPage = lazy(() => import('./pages/AlarmsPage'));
const CompletenessPage = lazy(() => import('./pages/CompletenessPage'));
const ConfigurationPage = lazy(() => import('./pages/ConfigurationPage'));
const AuditPage = lazy(() => import('./pages/AuditPage'));
const SettingsPage = lazy(() => import('./pages/SettingsPage'));
const NotFoundPage = lazy(() => import('./pages/NotFoundPage'));

function useAlarmBadge(): NavItem['badge'] {
  const alarms = useAlarms('open').data ?? [];
  const waiting = alarms.filter(
    (a) => a.state === 'active_unacknowledged' || a.state === 'cleared_unacknowledged',
  );
  const worst: AlarmPriority = PRIORITIES.find((p) => waiting.some((a) => a.priority === p)) ?? 'low';
  return { count: waiting.length, priority: worst, spoken: `${waiting.length} not acknowledged` };
}

const NOT_KNOWN: StateWord = { tone: 'unknown', word: 'Not known' };

/** Whether the gateway reaches the cloud; not known while this page does not reach the gateway. */
function Reached({ state }: { state: LinkState }) {
  return <StatusDot state={useCutOff() === null ? LINK_WORDS[state] : NOT_KNOWN} />;
}

export function Shell() {
  const [location, navigate] = useLocation();
  const [searching, setSearching] = useState(false);
  const overview = useOverview().data;
  const session = useSession();
  const badge = useAlarmBadge();
  const openSearch = useCallback(() => setSearching(true), []);
  const closeSearch = useCallback(() => setSearching(false), []);

  useEffect(() => {
    window.scrollTo(0, 0);
  }, [location]);

  const items: NavItem[] = [
    { href: '/', label: 'Home', icon: House },
    { href: '/points', label: 'Points', icon: Gauge },
    { href: '/devices', label: 'Devices', icon: Cpu },
    { href: '/alarms', label: 'Alarms', icon: Bell, badge },
    { href: '/settings', label: 'Settings', icon: Settings },
  ];
  const link = overview && <Reached state={overview.link.state} />;
  const field = /^\/(add$|adapters\/)/.test(location) ? '/devices' : location;
  const section = isRecord(location) ? '/settings' : field;
  return (
    <AppShell
      title={overview?.gateway.name ?? 'Riser'}
      subtitle={overview?.gateway.id ?? 'gateway'}
      items={items}
      isActive={(href) => (href === '/' ? location === '/' : section.startsWith(href))}
      onSearch={openSearch}
      banner={
        <OfflineBanner
          server="the gateway"
          still="Rules and alarms go on there; this page follows as soon as it is back."
        />
      }
      corner={link && <span className={css.corner}>{link}</span>}
      foot={
        <>
          {link && (
            <Link href="/" className={css.foot}>
              <span className={css.footName}>Cloud</span>
              {link}
            </Link>
          )}
          <Link href="/settings" className={css.foot}>
            <span className={css.footName}>Logged in</span>
            <span className={css.user}>{session.user}</span>
          </Link>
        </>
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
            <Route path="/" component={HomePage} />
            <Route path="/points" component={PointsPage} />
            <Route path="/points/:device/:point">
              {(p) => <PointPage key={`${p.device}/${p.point}`} path={`${p.device}/${p.point}`} />}
            </Route>
            <Route path="/devices" component={DevicesPage} />
            <Route path="/devices/:device">{(p) => <DevicePage device={p.device} />}</Route>
            <Route path="/add" component={AddDevicesPage} />
            <Route path="/adapters/:adapter">
              {(p) => <AdapterPage key={p.adapter} adapter={p.adapter} />}
            </Route>
            <Route path="/alarms" component={AlarmsPage} />
            <Route path="/completeness" component={CompletenessPage} />
            <Route path="/audit" component={AuditPage} />
            <Route path="/configuration" component={ConfigurationPage} />
            <Route path="/settings" component={SettingsPage} />
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
