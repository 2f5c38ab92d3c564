// Who is logged in, what the role may do, how things look on this browser.
import { Button, NativeSelect } from '@mantine/core';
import { DensityChoice, Facts, PageHeader, Panel, Permissions, ROLE_WORDS, ThemeChoice } from '@riser/kit';
import { LogOut } from 'lucide-react';
import { useTenants } from '../api/queries';
import { useSession } from '../session/session';
import css from './AccountPage.module.css';

export default function AccountPage() {
  const { user, tenant, chooseTenant, end } = useSession();
  const tenants = useTenants(chooseTenant !== null).data;
  return (
    <>
      <PageHeader title="Account" />
      <div className={css.stack}>
        <Panel
          title="Session"
          aside={
            <Button variant="default" leftSection={<LogOut size={16} aria-hidden />} onClick={end}>
              Log out
            </Button>
          }
        >
          <Facts
            facts={[
              { name: 'Name', value: user.name || 'not given' },
              { name: 'E-mail', value: user.email },
              { name: 'Role', value: ROLE_WORDS[user.role] },
              { name: 'Tenant', value: <span className="r-mono">{tenant}</span> },
            ]}
          />
          {chooseTenant && tenants && (
            <NativeSelect
              className={css.tenant}
              label="Look into tenant"
              description="You run the platform and may see every tenant, one at a time."
              value={tenant}
              onChange={(event) => chooseTenant(event.currentTarget.value)}
            >
              {tenants.map((t) => (
                <option key={t.id} value={t.id}>
                  {t.name}
                </option>
              ))}
            </NativeSelect>
          )}
          <Permissions role={user.role} />
        </Panel>
        <Panel title="On this browser" flush>
          <ThemeChoice />
          <DensityChoice />
        </Panel>
      </div>
    </>
  );
}
