// The page above the records of this gateway: completeness, configuration, audit log.

export const RECORDS = [{ href: '/settings', label: 'Settings' }];

const PATHS = ['/completeness', '/configuration', '/audit'];

/** Whether a path is one of them. */
export const isRecord = (path: string): boolean => PATHS.some((p) => path.startsWith(p));
