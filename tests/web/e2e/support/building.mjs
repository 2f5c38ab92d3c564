// A real building for a test: riser-demo with its cloud, gateway and simulator, each of which can be
// killed, frozen and started again. Owns those processes and their folder.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { BINARIES } from './programs.mjs';
import { until } from './until.mjs';

/** What the demo starts. */
const PROGRAMS = ['riser-sim', 'riser-cloud', 'riserd'];

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined; // Not written, or not whole yet.
  }
}

/** Program and arguments of a running process; empty once it has ended. */
function commandOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return [];
  }
}

function parentOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return 0;
  }
}

/** Process ids of the demo's programs, by name. */
function childrenOf(parent) {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && parentOf(name) === parent);
  const named = pids.map((pid) => [basename(commandOf(pid)[0] ?? ''), Number(pid)]);
  return new Map(named.filter(([name]) => PROGRAMS.includes(name)));
}

function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended already.
  }
}

export class Building {
  #demo;
  #pids = new Map();
  #commands = new Map();
  #restarted = [];
  #folder = mkdtempSync(join(tmpdir(), 'riser-web-'));

  /** Starts one that lives `speed` times faster than real. */
  static async start({ speed = 20 } = {}) {
    const building = new Building();
    await building.#start(speed);
    return building;
  }

  async #start(speed) {
    const credentials = join(this.#folder, 'credentials.json');
    const [localPort, cloudPort] = [await freePort(), await freePort()];
    const where = ['--dir', join(this.#folder, 'demo'), '--credentials', credentials];
    const how = ['--local-port', localPort, '--cloud-port', cloudPort, '--speed', speed, '--go-on'];
    this.startedAt = Date.now();
    this.#demo = spawn(join(BINARIES, 'riser-demo'), [...where, ...how], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    process.once('exit', () => this.#endAll('SIGKILL'));
    const said = await until('the demo is up', () => readJson(credentials), 40_000);
    this.local = { ...said.local, url: said.local.url.replace(/\/$/, '') };
    this.cloud = { ...said.cloud, url: said.cloud.url.replace(/\/$/, '') };
    this.#pids = childrenOf(this.#demo.pid);
    for (const [name, pid] of this.#pids) this.#commands.set(name, commandOf(pid));
  }

  /** A file or folder of the demo. */
  path(name) {
    return join(this.#folder, 'demo', name);
  }

  /** The first port of the simulated field. */
  fieldPort() {
    const command = this.#commands.get('riser-sim');
    return Number(command[command.indexOf('--port') + 1]);
  }

  /** Gives somebody an account at the cloud. */
  addUser({ email, password }, role) {
    const who = ['--tenant', 'demo', '--email', email, '--name', email, '--role', role, '--password-stdin'];
    const add = ['user', 'add', '--config', this.path('cloud.toml'), ...who];
    execFileSync(join(BINARIES, 'riser-cloud'), add, { input: password });
  }

  /** Ends a program as a power cut would: SIGKILL. */
  async kill(name) {
    const pid = this.#pids.get(name);
    signal(pid, 'SIGKILL');
    await until(`${name} has ended`, () => commandOf(pid).length === 0, 5000);
  }

  /** Starts a killed program again, as it was started. */
  restart(name) {
    const [program, ...args] = this.#commands.get(name);
    const child = spawn(program, args, { stdio: 'ignore' });
    this.#restarted.push(child);
    this.#pids.set(name, child.pid);
  }

  /** Stops a program in its tracks: its connections stay, nothing answers. */
  freeze(name) {
    signal(this.#pids.get(name), 'SIGSTOP');
  }

  thaw(name) {
    signal(this.#pids.get(name), 'SIGCONT');
  }

  #endAll(name) {
    for (const pid of this.#pids.values()) signal(pid, 'SIGCONT');
    for (const child of [...this.#restarted, this.#demo]) if (child?.pid) signal(child.pid, name);
    // A demo that is killed cannot end its own.
    if (name === 'SIGKILL') for (const pid of this.#pids.values()) signal(pid, name);
  }

  async stop() {
    const running = [...this.#restarted, this.#demo].filter((c) => c && c.exitCode === null && !c.signalCode);
    this.#endAll('SIGTERM');
    await until(
      'every process has ended',
      () => running.every((c) => c.exitCode !== null || c.signalCode),
      20_000,
    );
    this.#pids.clear();
    this.#restarted = [];
    this.#demo = undefined;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
