// Which tenant a person who runs the platform looks into. Everybody else has one, and it is not sent.

const KEY = 'riser-tenant';
let chosen: string | null = null;

function stored(): string | null {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** The tenant to name in calls, or undefined where the token says it. */
export function scopedTenant(): string | undefined {
  return chosen ?? undefined;
}

/** Chooses a tenant for this tab; null for people who have one. */
export function setScope(tenant: string | null): void {
  chosen = tenant;
  try {
    if (tenant) sessionStorage.setItem(KEY, tenant);
    else sessionStorage.removeItem(KEY);
  } catch {
    // Without storage the choice lasts until the tab is reloaded.
  }
}

/** The tenant a link names, or the one chosen in this tab before. */
export function wantedTenant(search: string): string | null {
  return new URLSearchParams(search).get('tenant') ?? stored();
}
