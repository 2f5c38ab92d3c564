// Runs what the Makefile names: set-up, builds, tests, lints, fuzzing. Owns the order of stages and the
// closing count. Owns no test itself.
// Node only, so a fresh machine with Rust and Node can start it before anything else is installed.
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runTestBinaries } from './cargo.mjs';
import { readNodeTest, readVitest } from './counts.mjs';
import { env, failures, finish, must, root, run, say, which } from './programs.mjs';
import { setup, setupNode, setupPackages, setupPython } from './setup.mjs';

const count = { passed: 0, failed: 0, skipped: 0 };

/** Everything, with the ways tests have of breaking a part of a running riserd. */
const workspace = ['--workspace', '--features', 'riserd/fault-injection'];

/** What makes a test binary run what takes long. */
const LONG = ['--ignored', '--nocapture', '--test-threads=1'];

/** The runner's own count, and the exit code that follows from it. */
function conclude() {
  if (failures.length) console.log(`Failed:\n  ${failures.join('\n  ')}`);
  console.log(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
  process.exit(count.failed === 0 && count.passed > 0 ? 0 : 1);
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

async function all() {
  await setupPackages();
  await ui();
  // What waits for a network goes beside what waits for the compiler, which needs the pages and gcc only.
  await Promise.all([build(), setup()]);
  await webTest('web unit tests', ['test', '--silent'], readVitest);
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
