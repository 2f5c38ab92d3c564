// Saving an export: the token must go with the request, so the file is fetched and then handed over.
import { getCsv, type PointName } from '../api/calls';

export async function exportCsv(name: PointName, from: number, to: number): Promise<void> {
  const blob = await getCsv(name, from, to);
  const url = URL.createObjectURL(blob);
  const anchor = document.createElement('a');
  anchor.href = url;
  anchor.download = `${name.gateway}-${name.path.replace('/', '-')}.csv`;
  anchor.click();
  URL.revokeObjectURL(url);
}
