// Alarms about Riser itself rather than a point: they lead to where the thing they are about is shown.

/** Device in the path of alarms a gateway raises about itself. */
const GATEWAY = 'riserd';
/** Device in the path of alarms the cloud raises about a gateway. */
const CLOUD = 'riser-cloud';

/** What an alarm about Riser itself is about, such as `audit`; null for one about a point. */
export function ownSubject(path: string): string | null {
  const [device, subject = ''] = path.split('/');
  return device === GATEWAY || device === CLOUD ? subject : null;
}
