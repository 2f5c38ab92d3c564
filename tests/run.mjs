// Runs what the Makefile names: set-up, builds, tests, lints, fuzzing. Owns the order of stages, the
// retries of what a network can fail, and the closing count. Owns no test itself.
// Node only, so a fresh machine with Rust and Node can start it before anything else is installed.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runTestBinaries } from './cargo.mjs';
import { readNodeTest, readVitest } from './counts.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const peers = process.env.RISER_PEERS ?? join(root, '.peers');
const ci = !!process.env.CI;
const env = { ...process.env, RISER_PEERS: peers, CARGO_TERM_COLOR: 'never', RUST_BACKTRACE: '1' };
// What is built once and thrown away is built faster without notes for the next time.
if (ci) env.CARGO_INCREMENTAL ??= '0';
const count = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
const started = Date.now();

/** Everything, with the ways tests have of breaking a part of a running riserd. */
const workspace = ['--workspace', '--features', 'riserd/fault-injection'];

/** What makes a test binary run what takes long. */
const LONG = ['--ignored', '--nocapture', '--test-threads=1'];

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

/** The runner's own count, and the exit code that follows from it. */
function conclude() {
  if (failures.length) console.log(`Failed:\n  ${failures.join('\n  ')}`);
  console.log(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
  process.exit(count.failed === 0 && count.passed > 0 ? 0 : 1);
}

const lines = (file) =>
  readFileSync(join(root, file), 'utf8').split('\n').map((l) => l.trim()).filter((l) => l && !l.startsWith('#'));
const which = (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

/** Debian packages of tests/peers/apt.txt that are missing. */
async function setupPackages() {
  const wanted = lines('tests/peers/apt.txt');
  const missing = wanted.filter(
    (p) => !spawnSync('dpkg-query', ['-W', '-f=${Status}', p]).stdout?.toString().includes('install ok installed'),
  );
  if (missing.length === 0) return;
  if (!which('apt-get')) {
    console.error(`SKIPPED: no apt-get here; peers that need ${missing.join(', ')} cannot run`);
    if (ci) finish(1);
    return;
  }
  const sudo = process.getuid() === 0 ? [] : ['sudo'];
  const apt = (...args) => [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', ...args];
  say(`installing Debian packages: ${missing.join(' ')}`);
  for (const command of [apt('update'), apt('install', '-y', '--no-install-recommends', ...missing)]) {
    await must('package installation', command[0], command.slice(1), { tries: 3, quiet: true });
  }
}

/** A Python environment per list in tests/peers/*.txt (apt.txt is not one), made anew when its list changes. */
async function setupPython(folder = 'tests/peers') {
  for (const file of readdirSync(join(root, folder)).filter((f) => f.endsWith('.txt') && f !== 'apt.txt')) {
    const home = join(peers, file.replace(/\.txt$/, ''));
    const list = join(folder, file);
    const stamp = createHash('sha256').update(readFileSync(join(root, list))).digest('hex');
    const mark = join(home, '.stamp');
    if (existsSync(mark) && readFileSync(mark, 'utf8') === stamp) continue;
    say(`installing Python peers of ${list}`);
    mkdirSync(peers, { recursive: true });
    await must('python environment', 'python3', ['-m', 'venv', home], { quiet: true });
    const pip = ['-q', 'install', '--disable-pip-version-check', ...lines(list)];
    await must('python packages', join(home, 'bin/pip'), pip, { tries: 3, quiet: true });
    writeFileSync(mark, stamp);
  }
}

/** A folder of npm packages per list tests/peers/*.npm, made anew when its list changes. */
async function setupNpm() {
  for (const file of readdirSync(join(root, 'tests/peers')).filter((f) => f.endsWith('.npm'))) {
    const home = join(peers, file.replace(/\.npm$/, ''));
    const list = join('tests/peers', file);
    const stamp = createHash('sha256').update(readFileSync(join(root, list))).digest('hex');
    const mark = join(home, '.stamp');
    if (existsSync(mark) && readFileSync(mark, 'utf8') === stamp) continue;
    say(`installing npm peers of ${list}`);
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, 'package.json'), '{"private":true}\n');
    const npm = ['install', '--prefix', home, '--no-save', '--no-audit', '--no-fund', '--no-progress', ...lines(list)];
    await must('npm packages', 'npm', npm, { tries: 3, quiet: true });
    writeFileSync(mark, stamp);
  }
}

async function setupNode() {
  const lock = readFileSync(join(root, 'package-lock.json'));
  const stamp = createHash('sha256').update(lock).digest('hex');
  const mark = join(root, 'node_modules/.stamp');
  if (existsSync(mark) && readFileSync(mark, 'utf8') === stamp) return;
  say('installing web dependencies');
  const npm = ['ci', '--no-audit', '--no-fund', '--no-progress'];
  await must('npm ci', 'npm', npm, { tries: 3, quiet: true });
  writeFileSync(mark, stamp);
}

async function ui() {
  await setupNode();
  say('building the web UIs');
  await must('web build', 'npm', ['run', '--silent', 'build']);
}

/** Counts what `cargo test` prints. */
function countCargo(output) {
  for (const m of output.matchAll(/test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored/g)) {
    count.passed += Number(m[1]);
    count.failed += Number(m[2]);
    count.skipped += Number(m[3]);
  }
  for (const m of output.matchAll(/^test (.+) \.\.\. FAILED$/gm)) failures.push(m[1]);
  count.skipped += (output.match(/^SKIPPED\b/gm) ?? []).length;
}

async function cargoTest(what, args) {
  say(what);
  const { code, output } = await run('cargo', ['test', '--no-fail-fast', ...args]);
  countCargo(output);
  if (code !== 0 && !/test result: FAILED/.test(output)) {
    count.failed += 1;
    failures.push(`${what}: cargo ended with ${code}`);
  }
}

/**
 * Tests of the workspace: all, or those of the binaries that `choice.only` wants. Always the same
 * selection of packages and features, as another would build the crates anew.
 */
async function rustTests(what, choice) {
  say(what);
  const { code, results } = await runTestBinaries(workspace, { cwd: root, env }, choice);
  for (const { binary, code, output } of results) {
    countCargo(output);
    // A binary that dies prints no result, or one that does not tell.
    if (code !== 0 && !/test result: FAILED/.test(output)) {
      count.failed += 1;
      failures.push(`${binary.package} ${binary.target} ended with ${code}`);
    }
  }
  if (code !== 0 || results.length === 0) {
    count.failed += 1;
    failures.push(`${what}: cargo ended with ${code}, ${results.length} test binaries`);
  }
}

/** Runs a Node test runner whose JSON report is read by `read`. */
async function webTest(what, args, read) {
  say(what);
  const { code, output } = await run('npm', args);
  const seen = read(output);
  count.passed += seen.passed;
  count.failed += seen.failed;
  count.skipped += seen.skipped;
  if (code !== 0 && seen.failed === 0) count.failed += 1;
  if (code !== 0) failures.push(what);
}

async function build() {
  say('building');
  await must('build', 'cargo', ['build', ...workspace, '--bins', '--tests', '--quiet']);
}

async function setup() {
  await setupPackages();
  await setupPython();
  await setupNpm();
}

/** What waits for a network goes beside what waits for the compiler, which needs the pages and gcc only. */
async function buildBesideSetup() {
  await setupPackages();
  await ui();
  await Promise.all([build(), setup()]);
  await webTest('web unit tests', ['test', '--silent'], readVitest);
}

async function all() {
  await buildBesideSetup();
  await rustTests('unit, contract, peer, fault and end-to-end tests');
  await cargoTest('examples in the documentation', ['--doc', ...workspace]);
  await webTest('browser tests', ['run', '--silent', 'e2e'], readNodeTest);
  say('done');
  conclude();
}

/** The long set of tests/faults; the fast one is part of `all`. */
async function faults() {
  await setup();
  await build();
  await rustTests('faults, the long set', { only: (binary) => binary.package === 'riser-faults', args: LONG });
  conclude();
}

/** Tests with peers too heavy for every run, and every adapter's long ones. */
async function nightly() {
  await setup();
  await setupPython('tests/peers/nightly');
  await ui();
  await build();
  const isField = (binary) => dirname(binary.folder) === join(root, 'adapters') || binary.package === 'riser-e2e';
  await rustTests('adapters and all of them in one gateway, the long set', { only: isField, args: LONG });
  const page = ['run', '--silent', 'e2e', '--', 'adding-homeassistant.test.mjs'];
  await webTest('browser tests of Home Assistant', page, readNodeTest);
  conclude();
}

async function lint() {
  await setupNode();
  const steps = [
    ['rustfmt', 'cargo', ['fmt', '--all', '--check']],
    ['clippy', 'cargo', ['clippy', ...workspace, '--all-targets', '--quiet', '--', '-D', 'warnings']],
    ['web lint', 'npm', ['run', '--silent', 'lint']],
    ['house rules', 'cargo', ['test', '--quiet', '-p', 'riser-tidy']],
  ];
  for (const [what, command, args] of steps) {
    say(what);
    await must(what, command, args);
  }
  if (!which('cargo-deny')) {
    say('installing cargo-deny');
    await must('cargo-deny', 'cargo', ['install', '--locked', '--quiet', 'cargo-deny'], { tries: 3 });
  }
  say('licences, sources, duplicates');
  await must('cargo deny', 'cargo', ['deny', 'check', '--hide-inclusion-graph', 'licenses', 'bans', 'sources']);
  say('advisories');
  const { code, output } = await run('cargo', ['deny', 'check', '--hide-inclusion-graph', 'advisories']);
  if (code !== 0 && /fetch|clone|network|resolve host|connect/i.test(output) && !/error\[/.test(output)) {
    console.error('SKIPPED advisories: the advisory database cannot be reached from here');
  } else if (code !== 0) finish(1);
  say('lint clean');
}

async function fuzz() {
  if (!which('cargo-fuzz')) await must('cargo-fuzz', 'cargo', ['install', '--locked', '--quiet', 'cargo-fuzz'], { tries: 3 });
  const seconds = process.env.FUZZ_SECONDS ?? '600';
  const homes = ['gateway', 'sync', 'adapters'].flatMap((top) => readdirSync(join(root, top)).map((crate) => join(top, crate)));
  for (const home of homes.filter((h) => existsSync(join(root, h, 'fuzz/Cargo.toml')))) {
    const targets = (await must('fuzz list', 'cargo', ['fuzz', 'list', '--fuzz-dir', join(home, 'fuzz')], { quiet: true })).trim().split('\n');
    for (const target of targets) {
      say(`fuzzing ${home} ${target} for ${seconds} s`);
      const args = ['fuzz', 'run', '--fuzz-dir', join(home, 'fuzz'), '-O', '--sanitizer', 'none', target, '--'];
      await must(target, 'cargo', [...args, `-max_total_time=${seconds}`, '-rss_limit_mb=1024', '-print_final_stats=1'], {
        env: { RUSTC_BOOTSTRAP: '1' },
        quiet: true,
      });
    }
  }
  say('no finding');
}

const stages = { all, faults, nightly, lint, ui, fuzz, setup };
const stage = stages[process.argv[2]];
if (!stage) {
  console.error(`usage: node tests/run.mjs ${Object.keys(stages).join(' | ')}`);
  process.exit(2);
}
await stage();
