// Says how large each built app is as it goes over the wire, and fails above the budget of 350 kB.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const BUDGET = 350_000;
const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

let over = false;
for (const app of ['gateway/web', 'cloud-api/web']) {
  const dist = join(root, app, 'dist');
  const files = readdirSync(dist, { recursive: true, withFileTypes: true }).filter((f) => f.isFile());
  const size = files.reduce((sum, f) => sum + gzipSync(readFileSync(join(f.parentPath, f.name))).length, 0);
  over ||= size > BUDGET;
  process.stdout.write(`${app}: ${(size / 1000).toFixed(0)} kB of ${BUDGET / 1000} kB, compressed\n`);
}
process.exit(over ? 1 : 0);
