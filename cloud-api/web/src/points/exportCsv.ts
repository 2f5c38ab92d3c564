// Saving an export: the token must go with the request, so the file is fetched and then handed over.
import { getCsv, type PointName } from '../api/calls';

export function saveBlob(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const anchor = document.createElement('a');
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  URL.revokeObjectURL(url);
}

export async function exportCsv(name: PointName, from: number, to: number): Promise<void> {
  saveBlob(await getCsv(name, from, to), `${name.gateway}-${name.path.replace('/', '-')}.csv`);
}
