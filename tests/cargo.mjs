// Runs the test binaries of a cargo workspace, several at a time: most of them wait for timers and for
// peers more than they compute. Owns the order and what runs alone; builds nothing but through cargo.
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';

/** How many binaries run beside each other. */
const BESIDE = 2;

/** Packages whose tests judge timing, or keep both cores busy: one binary at a time, after the others. */
const ALONE = new Set(['riser-faults', 'riser-e2e', 'riser-store']);

/** What cargo says on standard output, a JSON document a line, and its exit code. */
function messages(args, options) {
  return new Promise((resolve) => {
    const child = spawn('cargo', args, { ...options, stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk) => (text += chunk));
    child.on('error', () => resolve({ code: 127, lines: [] }));
    child.on('close', (code) => {
      const lines = text.split('\n').filter((line) => line.startsWith('{'));
      resolve({ code: code ?? 1, lines: lines.map((line) => JSON.parse(line)) });
    });
  });
}

/** The test binaries of a selection, built if need be: `{ package, target, program, folder }` each. */
async function binaries(selection, options) {
  const args = ['test', '--no-run', '--quiet', '--message-format=json', ...selection];
  const { code, lines } = await messages(args, options);
  if (code !== 0) return { code, found: [] };
  const found = lines
    .filter((m) => m.reason === 'compiler-artifact' && m.executable && m.profile.test)
    .map((m) => ({
      // A package's id ends in `#name@version`, or in `/name#version` where the folder is called the same.
      package: m.package_id.match(/#(.+)@/)?.[1] ?? m.package_id.match(/([^/]+)#/)?.[1] ?? m.package_id,
      target: m.target.name,
      program: m.executable,
      folder: dirname(m.manifest_path),
    }));
  return { code, found };
}

/**
 * Runs one binary as cargo would. Beside others what it prints is shown when it has ended, so that no
 * two mix.
 */
function once(binary, args, live, options) {
  return new Promise((resolve) => {
    const name = `${binary.package} ${binary.target}`;
    const begun = Date.now();
    const env = { ...options.env, CARGO_MANIFEST_DIR: binary.folder };
    const child = spawn(binary.program, args, { cwd: binary.folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    if (live) console.log(`\n     Running ${name}`);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk;
        if (live) process.stdout.write(chunk);
      });
    }
    const end = (code, more = '') => {
      const seconds = ((Date.now() - begun) / 1000).toFixed(0);
      output += more;
      process.stdout.write(live ? more : `\n     Running ${name} (${seconds} s)\n${output}`);
      resolve({ code, output });
    };
    child.on('error', (error) => end(127, String(error)));
    child.on('close', (code, signal) => end(code ?? 1, signal ? `ended by ${signal}\n` : ''));
  });
}

/** Runs every binary of `queue`, `beside` at a time. */
async function drain(queue, beside, run) {
  const worker = async () => {
    for (let binary = queue.shift(); binary; binary = queue.shift()) await run(binary, beside === 1);
  };
  await Promise.all(Array.from({ length: beside }, worker));
}

/**
 * Builds the test binaries of a selection of packages and runs those that `only` wants, with `args`;
 * with arguments, one at a time. Answers the exit code of building and, of each binary, its names, its
 * exit code and what it printed.
 */
export async function runTestBinaries(selection, options, { only = () => true, args = [] } = {}) {
  const { code, found } = await binaries(selection, options);
  const results = [];
  const run = async (binary, live) => results.push({ binary, ...(await once(binary, args, live, options)) });
  const wanted = found.filter(only);
  const isAlone = (binary) => args.length > 0 || ALONE.has(binary.package);
  await drain(wanted.filter((binary) => !isAlone(binary)), BESIDE, run);
  await drain(wanted.filter(isAlone), 1, run);
  return { code, results };
}
