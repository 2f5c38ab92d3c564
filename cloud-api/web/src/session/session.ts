// Who is logged in on the dashboard.
import { may, type Permission } from '@riser/kit';
import { createContext, useContext } from 'react';
import type { User } from './tokens';

export interface OpenSession {
  user: User;
  /** The tenant looked into. */
  tenant: string;
  /** For people who run the platform: looks into another tenant. */
  chooseTenant: ((tenant: string) => void) | null;
  end: () => void;
}

export const SessionContext = createContext<OpenSession | null>(null);

export function useSession(): OpenSession {
  const session = useContext(SessionContext);
  if (!session) throw new Error('a page that needs a session was drawn without one');
  return session;
}

export function useMay(permission: Permission): boolean {
  return may(useSession().user.role, permission);
}
