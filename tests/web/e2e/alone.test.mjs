// The gateway's UI where there is nothing else: a network of loopback only, and no cloud. Runs
// `alone/journey.mjs` in such a network; owns only the way into it.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const JOURNEY = fileURLToPath(new URL('alone/journey.mjs', import.meta.url));
const LIMIT_MS = 120_000;

/** The way into a network of its own: as root, or in a user namespace where those are allowed. */
const way = [['-n'], ['-rn']].find((flags) => spawnSync('unshare', [...flags, 'ip', 'link']).status === 0);

function run(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: LIMIT_MS });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('close', (code) => resolve({ code, output }));
  });
}

const skip = way ? false : 'no network of its own to be had here: unshare -n is refused';
if (skip) console.log(`SKIPPED: ${skip}`);

test('with no route to anywhere and no cloud the UI is complete', { skip }, async () => {
  const inside = 'ip link set lo up && exec "$0" "$1"';
  const { code, output } = await run('unshare', [...way, 'sh', '-c', inside, process.execPath, JOURNEY]);
  assert.equal(code, 0, output);
  assert.match(output, /journey complete/);
});
