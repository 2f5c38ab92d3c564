// The session, how things look on this browser, and what this gateway is.
import { Button } from '@mantine/core';
import {
  DensityChoice,
  Facts,
  formatStamp,
  formatWhen,
  may,
  PageHeader,
  Panel,
  PERMISSION_WORDS,
  ROLE_WORDS,
  ThemeChoice,
  useNow,
  type Permission,
} from '@riser/kit';
import { Check, LogOut, X } from 'lucide-react';
import { useOverview } from '../api/queries';
import { useSession } from '../session/session';
import css from './SettingsPage.module.css';

export default function SettingsPage() {
  const session = useSession();
  const overview = useOverview().data;
  const now = useNow();
  return (
    <>
      <PageHeader title="Settings" />
      <div className={css.stack}>
        <Panel
          title="Session"
          aside={
            <Button variant="default" leftSection={<LogOut size={16} aria-hidden />} onClick={session.end}>
              Log out
            </Button>
          }
        >
          <Facts
            facts={[
              { name: 'User', value: session.user },
              { name: 'Role', value: ROLE_WORDS[session.role] },
              { name: 'Ends', value: formatWhen(session.expires_at, now) },
            ]}
          />
          <h3 className={css.heading}>What this role may do</h3>
          <ul className={css.permissions}>
            {(Object.keys(PERMISSION_WORDS) as Permission[]).map((permission) => {
              const allowed = may(session.role, permission);
              return (
                <li key={permission} className={allowed ? undefined : css.denied}>
                  {allowed ? <Check size={16} aria-hidden /> : <X size={16} aria-hidden />}
                  {PERMISSION_WORDS[permission]}
                  <span className="r-visually-hidden">{allowed ? ': yes' : ': no'}</span>
                </li>
              );
            })}
          </ul>
        </Panel>
        <Panel title="On this browser" flush>
          <ThemeChoice />
          <DensityChoice />
        </Panel>
        {overview && (
          <Panel title="This gateway">
            <Facts
              facts={[
                { name: 'Name', value: overview.gateway.name },
                { name: 'Identity', value: <span className="r-mono">{overview.gateway.id}</span> },
                { name: 'Tenant', value: <span className="r-mono">{overview.gateway.tenant}</span> },
                { name: 'Version', value: `Riser ${overview.gateway.version}` },
                { name: 'Started', value: formatStamp(overview.gateway.started_at) },
                { name: 'Cloud address', value: overview.link.url || 'none configured' },
              ]}
            />
          </Panel>
        )}
      </div>
    </>
  );
}
