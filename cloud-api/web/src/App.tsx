// What stands before the pages: is somebody logged in, and for people who run the platform, which tenant.
import { BoneBlock, EmptyState, ErrorState, Gate, LiveProvider, messageOf, Problem } from '@riser/kit';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useState } from 'react';
import { keys, useTenants } from './api/queries';
import { createFeed } from './live/live';
import { LiveBridge } from './live/LiveBridge';
import { LoginPage } from './session/LoginPage';
import { setScope, wantedTenant } from './session/scope';
import { SessionContext } from './session/session';
import { tokens, type User } from './session/tokens';
import { Shell } from './Shell';

function isUnauthorised(reason: unknown): boolean {
  return reason instanceof Problem && reason.status === 401;
}

export function App() {
  const queries = useQueryClient();
  const [notice, setNotice] = useState<string | null>(null);
  const [leaving, setLeaving] = useState(false);
  const user = useQuery({
    queryKey: keys.user,
    queryFn: () =>
      tokens
        .restore()
        .catch((reason: unknown) => (isUnauthorised(reason) ? null : Promise.reject(reason as Error))),
    staleTime: Infinity,
    refetchOnWindowFocus: false,
  });

  // Any answer 401 ends the session on this page, whichever call it was.
  useEffect(
    () =>
      queries.getQueryCache().subscribe((event) => {
        if (event.type !== 'updated' || event.action.type !== 'error' || !isUnauthorised(event.action.error))
          return;
        if (!queries.getQueryData(keys.user)) return;
        setNotice('Your session has ended. Log in to go on where you were.');
        queries.setQueryData(keys.user, null);
      }),
    [queries],
  );

  const begin = (opened: User) => {
    setNotice(null);
    queries.setQueryData(keys.user, opened);
  };
  const end = () => {
    setLeaving(true);
    // Here it ends in any case; a cloud that does not answer drops it when it expires.
    void tokens
      .logOut()
      .catch(() => undefined)
      .finally(() => {
        setScope(null);
        queries.clear();
        queries.setQueryData(keys.user, null);
        setLeaving(false);
      });
  };

  if (user.error) {
    return (
      <Gate title="No connection">
        <ErrorState
          what="The cloud could not be reached"
          message={messageOf(user.error)}
          onRetry={() => void user.refetch()}
        />
      </Gate>
    );
  }
  if (user.isPending || leaving) {
    return (
      <Gate title="Riser">
        <BoneBlock height={180} />
      </Gate>
    );
  }
  if (!user.data) return <LoginPage notice={notice} onUser={begin} />;
  if (user.data.tenant)
    return <LoggedIn user={user.data} tenant={user.data.tenant} chooseTenant={null} end={end} />;
  return <Platform user={user.data} end={end} />;
}

/** Somebody who runs the platform looks into one tenant at a time. */
function Platform({ user, end }: { user: User; end: () => void }) {
  const queries = useQueryClient();
  const tenants = useTenants(true);
  const [wanted, setWanted] = useState(() => wantedTenant(location.search));
  const tenant = tenants.data?.find((t) => t.id === wanted) ?? tenants.data?.[0];
  if (!tenants.data || !tenant) {
    return (
      <Gate title="Tenants">
        {tenants.error && (
          <ErrorState
            what="The tenants could not be fetched"
            message={messageOf(tenants.error)}
            onRetry={() => void tenants.refetch()}
          />
        )}
        {tenants.isPending && <BoneBlock height={180} />}
        {tenants.data && (
          <EmptyState title="There is no tenant yet">
            Make one on the server, then issue its first gateway.
          </EmptyState>
        )}
      </Gate>
    );
  }
  const choose = (next: string) => {
    // What is known of one tenant must not be shown as another's.
    queries.removeQueries({ predicate: (q) => q.queryKey[0] !== 'user' && q.queryKey[0] !== 'tenants' });
    setWanted(next);
  };
  setScope(tenant.id);
  return <LoggedIn key={tenant.id} user={user} tenant={tenant.id} chooseTenant={choose} end={end} />;
}

interface LoggedInProps {
  user: User;
  tenant: string;
  chooseTenant: ((tenant: string) => void) | null;
  end: () => void;
}

function LoggedIn(session: LoggedInProps) {
  const feed = useMemo(() => createFeed(), []);
  return (
    <SessionContext value={session}>
      <LiveProvider feed={feed}>
        <LiveBridge />
        <Shell />
      </LiveProvider>
    </SessionContext>
  );
}
