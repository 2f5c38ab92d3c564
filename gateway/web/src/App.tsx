// What stands before the pages: is the gateway claimed, is somebody logged in.
import { BoneBlock, ErrorState, Gate, LiveProvider, messageOf, Problem } from '@riser/kit';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useState } from 'react';
import { getSession, getSetup, logOut, type Session } from './api/calls';
import { keys } from './api/queries';
import { createFeed } from './live/live';
import { LiveBridge } from './live/LiveBridge';
import { ClaimPage } from './session/ClaimPage';
import { LoginPage } from './session/LoginPage';
import { SessionContext, type OpenSession } from './session/session';
import { Shell } from './Shell';

function isUnauthorised(reason: unknown): boolean {
  return reason instanceof Problem && reason.status === 401;
}

export function App() {
  const queries = useQueryClient();
  const [notice, setNotice] = useState<string | null>(null);
  const [leaving, setLeaving] = useState(false);
  const setup = useQuery({ queryKey: keys.setup, queryFn: getSetup, staleTime: Infinity });
  const session = useQuery({
    queryKey: keys.session,
    queryFn: () =>
      getSession().catch((reason: unknown) =>
        isUnauthorised(reason) ? null : Promise.reject(reason as Error),
      ),
    enabled: setup.data?.claimed === true,
    refetchInterval: 60_000,
  });

  // Any answer 401 ends the session on this page, whichever call it was.
  useEffect(
    () =>
      queries.getQueryCache().subscribe((event) => {
        if (event.type !== 'updated' || event.action.type !== 'error' || !isUnauthorised(event.action.error))
          return;
        setNotice('Your session has ended. Log in to go on where you were.');
        queries.setQueryData(keys.session, null);
      }),
    [queries],
  );

  const begin = (opened: Session) => {
    queries.setQueryData(keys.setup, (old: typeof setup.data) => old && { ...old, claimed: true });
    queries.setQueryData(keys.session, opened);
    setNotice(null);
  };
  const end = () => {
    setLeaving(true);
    // Here it ends in any case; a gateway that does not answer drops it when it expires.
    void logOut()
      .catch(() => undefined)
      .finally(() => {
        queries.clear();
        void setup.refetch();
        queries.setQueryData(keys.session, null);
        setLeaving(false);
      });
  };

  const failed = setup.error ?? session.error;
  if (failed && !session.data) {
    return (
      <Gate title="No connection">
        <ErrorState
          what="The gateway could not be reached"
          message={messageOf(failed)}
          onRetry={() => void (setup.error ? setup.refetch() : session.refetch())}
        />
      </Gate>
    );
  }
  if (setup.data && !setup.data.claimed) return <ClaimPage setup={setup.data} onSession={begin} />;
  if (setup.isPending || session.isPending || leaving) {
    return (
      <Gate title="Riser">
        <BoneBlock height={180} />
      </Gate>
    );
  }
  if (!session.data) return <LoginPage setup={setup.data} notice={notice} onSession={begin} />;
  return <LoggedIn session={session.data} end={end} />;
}

function LoggedIn({ session, end }: { session: Session; end: () => void }) {
  const feed = useMemo(() => createFeed(), []);
  const value: OpenSession = { ...session, end };
  return (
    <SessionContext value={value}>
      <LiveProvider feed={feed}>
        <LiveBridge />
        <Shell />
      </LiveProvider>
    </SessionContext>
  );
}
