// What the search finds on a gateway: its pages, devices by name, points by name or path.
import type { Hit } from '@riser/kit';
import { getDevices, getPoints } from './api/calls';

const PAGES: readonly Hit[] = [
  { href: '/', title: 'Home', detail: 'The gateway at a glance', kind: 'Page' },
  { href: '/points', title: 'Points', detail: 'Every measured or commanded quantity', kind: 'Page' },
  {
    href: '/points?quality=bad',
    title: 'Points of bad quality',
    detail: 'What is not to be trusted now',
    kind: 'Page',
  },
  { href: '/devices', title: 'Devices', detail: 'Devices by lane, with their health', kind: 'Page' },
  {
    href: '/add',
    title: 'Add devices',
    detail: 'Search, choose, preview, and try them',
    kind: 'Page',
  },
  { href: '/alarms', title: 'Alarms', detail: 'Open alarms', kind: 'Page' },
  { href: '/alarms?state=all', title: 'Alarm history', detail: 'Alarms that are over, too', kind: 'Page' },
  {
    href: '/completeness',
    title: 'Completeness',
    detail: 'What became of every sample, per lane and hour',
    kind: 'Page',
  },
  {
    href: '/audit',
    title: 'Audit log',
    detail: 'Who did what, when, and from where',
    kind: 'Page',
  },
  { href: '/settings', title: 'Settings', detail: 'Session, theme, version', kind: 'Page' },
];
const MOST_POINTS = 12;

function matches(text: string, ...fields: string[]): boolean {
  const wanted = text.toLowerCase();
  return fields.some((f) => f.toLowerCase().includes(wanted));
}

export async function find(text: string): Promise<Hit[]> {
  if (!text) return [...PAGES];
  const [devices, points] = await Promise.all([
    getDevices(),
    getPoints({ search: text, limit: MOST_POINTS }),
  ]);
  return [
    ...PAGES.filter((p) => matches(text, p.title)),
    ...devices
      .filter((d) => matches(text, d.name, d.device))
      .map((d) => ({
        href: `/devices/${d.device}`,
        title: d.name,
        detail: `${d.adapter}, ${d.address}`,
        kind: 'Device',
      })),
    ...points.points.map((p) => ({
      href: `/points/${p.path}`,
      title: p.name,
      detail: `${p.device_name} · ${p.path}`,
      kind: 'Point',
    })),
  ];
}
