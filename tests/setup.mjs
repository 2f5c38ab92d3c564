// Installs what the tests need, from lists kept in the repository: Debian packages, an environment for each
// list of Python packages, a folder for each list of npm packages, the web's own dependencies.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ci, finish, lines, must, peers, root, say, which } from './programs.mjs';

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

async function setup() {
  await setupPackages();
  await setupPython();
  await setupNpm();
}

export { setup, setupNode, setupPackages, setupPython };
