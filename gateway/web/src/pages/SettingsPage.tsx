// The session, how things look on this browser, and what this gateway is.
import { Button } from '@mantine/core';
import {
  DensityChoice,
  Facts,
  formatStamp,
  formatWhen,
  PageHeader,
  Panel,
  Permissions,
  ROLE_WORDS,
  ThemeChoice,
  useNow,
} from '@riser/kit';
import { LogOut } from 'lucide-react';
import { Link } from 'wouter';
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
          <Permissions role={session.role} />
        </Panel>
        <Panel title="On this browser" flush>
          <ThemeChoice />
          <DensityChoice />
        </Panel>
        <Panel title="Records">
          <Facts
            facts={[
              { name: 'Samples', value: <Link href="/completeness">What became of every sample</Link> },
              {
                name: 'Configuration',
                value: <Link href="/configuration">What runs, and its versions</Link>,
              },
              { name: 'People', value: <Link href="/audit">Who did what: the audit log</Link> },
            ]}
          />
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
