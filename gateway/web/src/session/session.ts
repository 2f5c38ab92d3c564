// Who is logged in on this gateway.
import type { Permission } from '@riser/kit';
import { may } from '@riser/kit';
import { createContext, useContext } from 'react';
import type { Session } from '../api/calls';

export interface OpenSession extends Session {
  end: () => void;
}

export const SessionContext = createContext<OpenSession | null>(null);

export function useSession(): OpenSession {
  const session = useContext(SessionContext);
  if (!session) throw new Error('a page that needs a session was drawn without one');
  return session;
}

export function useMay(permission: Permission): boolean {
  return may(useSession().role, permission);
}
