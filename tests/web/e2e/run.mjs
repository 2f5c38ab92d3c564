// Runs the browser tests, or says loudly why it cannot: without a browser they are skipped on a laptop
// and a failure in CI. Names of files after the script's run those alone; everything else goes to node --test.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BINARIES, CHROMIUM, ROOT, runnable } from './support/programs.mjs';

const here = dirname(fileURLToPath(import.meta.url));

if (!runnable(CHROMIUM)) {
  console.error(`SKIPPED browser tests: there is no ${CHROMIUM}; install Debian's chromium or set CHROMIUM`);
  process.exit(process.env.CI ? 1 : 0);
}
for (const program of ['riser-demo', 'riser-sim', 'riser-cloud', 'riserd']) {
  if (runnable(join(BINARIES, program))) continue;
  console.error(`${join(BINARIES, program)} is not there: run 'cargo build --workspace --bins' first`);
  process.exit(1);
}
for (const app of ['gateway/web', 'cloud-api/web']) {
  if (existsSync(join(ROOT, app, 'dist/index.html'))) continue;
  console.error(`${app} is not built: run 'npm run build' first`);
  process.exit(1);
}

const isTest = (name) => name.endsWith('.test.mjs');
const given = process.argv.slice(2);
const files = (given.some(isTest) ? given : readdirSync(here)).filter(isTest).map((name) => join(here, name));
// One after the other: each has a building and a browser of its own.
const args = [
  '--test',
  '--test-concurrency=1',
  '--test-reporter=spec',
  ...given.filter((arg) => !isTest(arg)),
  ...files,
];
spawn(process.execPath, args, { stdio: 'inherit' }).on('close', (code) => process.exit(code ?? 1));
