// Runs programs for the stages of run.mjs: what must succeed and may be tried again, what is said while
// it goes on, and the end of all when it fails. Node only.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const peers = process.env.RISER_PEERS ?? join(root, '.peers');
const ci = !!process.env.CI;
const env = { ...process.env, RISER_PEERS: peers, CARGO_TERM_COLOR: 'never', RUST_BACKTRACE: '1' };
// What is built once and thrown away is built faster without notes for the next time.
if (ci) env.CARGO_INCREMENTAL ??= '0';
/** Names of tests that have failed so far. */
const failures = [];
const started = Date.now();

const say = (text) => console.log(`\n== ${text} [${((Date.now() - started) / 1000).toFixed(0)} s]`);

/** Runs a command, passing its output through; resolves with exit code and everything printed. */
function run(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, env: { ...env, ...options.env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const take = (stream) => (chunk) => {
      output += chunk;
      if (!options.quiet) stream.write(chunk);
    };
    child.stdout.on('data', take(process.stdout));
    child.stderr.on('data', take(process.stderr));
    child.on('error', (error) => resolve({ code: 127, output: String(error) }));
    child.on('close', (code, signal) => resolve({ code: code ?? (signal ? 1 : 0), output }));
  });
}

/** A stage that is not a test but must succeed; what a network can fail is tried three times. */
async function must(what, command, args, { tries = 1, ...options } = {}) {
  for (let attempt = 1; ; attempt += 1) {
    const { code, output } = await run(command, args, options);
    if (code === 0) return output;
    if (options.quiet) process.stderr.write(output);
    if (attempt >= tries) {
      console.error(`${what} failed: ${command} ${args.join(' ')} ended with ${code}`);
      finish(1);
    }
    console.error(`${what}: attempt ${attempt} failed, trying again in ${attempt * 5} s`);
    await new Promise((r) => setTimeout(r, attempt * 5000));
  }
}

function finish(code) {
  if (failures.length) console.log(`\nFailed:\n  ${failures.join('\n  ')}`);
  process.exit(code);
}

const lines = (file) =>
  readFileSync(join(root, file), 'utf8').split('\n').map((l) => l.trim()).filter((l) => l && !l.startsWith('#'));
const which = (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

export { ci, env, failures, finish, lines, must, peers, root, run, say, which };
