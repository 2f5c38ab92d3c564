// What the search finds in the cloud: pages, gateways, and points of the gateways that are connected.
import type { Hit } from '@riser/kit';
import { getGateways, getPoints } from './api/calls';

const PAGES: readonly Hit[] = [
  { href: '/', title: 'Gateways', detail: 'Every gateway, worst first', kind: 'Page' },
  { href: '/points', title: 'Points', detail: 'Values of one gateway', kind: 'Page' },
  { href: '/alarms', title: 'Alarms', detail: 'Open alarms of every gateway', kind: 'Page' },
  { href: '/alarms?state=all', title: 'Alarm history', detail: 'Alarms that are over, too', kind: 'Page' },
  { href: '/account', title: 'Account', detail: 'Session, role, theme', kind: 'Page' },
];
/** Points are asked per gateway; a search is not to ask hundreds of them. */
const MOST_GATEWAYS = 8;
const MOST_POINTS = 6;

function matches(text: string, ...fields: string[]): boolean {
  const wanted = text.toLowerCase();
  return fields.some((f) => f.toLowerCase().includes(wanted));
}

export async function find(text: string): Promise<Hit[]> {
  if (!text) return [...PAGES];
  const gateways = await getGateways();
  const asked = [...gateways]
    .sort((a, b) => Number(b.connected) - Number(a.connected))
    .slice(0, MOST_GATEWAYS);
  const points = await Promise.all(
    asked.map(async (g) =>
      (await getPoints(g.id, { search: text, limit: MOST_POINTS })).points.map((p) => ({
        href: `/gateways/${g.id}/points/${p.path}`,
        title: p.name,
        detail: `${g.name} · ${p.device_name} · ${p.path}`,
        kind: 'Point',
      })),
    ),
  );
  return [
    ...PAGES.filter((p) => matches(text, p.title)),
    ...gateways
      .filter((g) => matches(text, g.name, g.id))
      .map((g) => ({ href: `/gateways/${g.id}`, title: g.name, detail: g.id, kind: 'Gateway' })),
    ...points.flat(),
  ];
}
