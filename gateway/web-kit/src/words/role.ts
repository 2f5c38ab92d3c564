// Who may do what, as riser-model's table says. The server decides; this only explains beforehand.
import type { Role } from '../model';

export type Permission = 'read' | 'acknowledge' | 'write' | 'metrics' | 'configure' | 'administer';

export const ROLE_WORDS: Record<Role, string> = {
  system_admin: 'System administrator',
  tenant_admin: 'Tenant administrator',
  manager: 'Manager',
  operator: 'Operator',
  technician: 'Technician',
  installer: 'Installer',
  viewer: 'Viewer',
  provider: 'Service provider',
};

export const PERMISSION_WORDS: Record<Permission, string> = {
  read: 'See points, trends, devices and alarms',
  acknowledge: 'Acknowledge alarms',
  write: 'Write points',
  metrics: 'Read operating figures',
  configure: 'See and change the configuration',
  administer: 'Administer users and certificates, see the audit log',
};

const TABLE: Record<Role, readonly Permission[]> = {
  system_admin: ['read', 'acknowledge', 'write', 'metrics', 'configure', 'administer'],
  tenant_admin: ['read', 'acknowledge', 'write', 'metrics', 'configure', 'administer'],
  manager: ['read', 'acknowledge', 'write', 'metrics'],
  operator: ['read', 'acknowledge', 'write'],
  technician: ['read', 'acknowledge', 'write', 'metrics', 'configure'],
  installer: ['read', 'acknowledge', 'write', 'metrics', 'configure'],
  viewer: ['read'],
  provider: ['read'],
};

export function may(role: Role, permission: Permission): boolean {
  return TABLE[role].includes(permission);
}

/** `Operators, technicians, installers, managers and administrators can.` */
export const WHO_CAN_OPERATE = 'Operators, technicians, installers, managers and administrators can.';
