// Commissioning of Zigbee on the gateway's own page with the real zigbee2mqtt and mosquitto, on a pretend stick:
// what is missing is said, the bridge is added, devices are let in and appear. Without the peers it is
// skipped, loudly; where CI is set that fails.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { scrollsSideways, violations } from './support/access.mjs';
import { ROOT, runnable } from './support/programs.mjs';
import { scene } from './support/scene.mjs';
import { claim, presentValue, visit } from './support/steps.mjs';
import { until } from './support/until.mjs';

const MODULES = join(process.env.RISER_PEERS ?? join(ROOT, '.peers'), 'zigbee/node_modules');
const NODE = join(MODULES, 'node/bin/node');
const MOSQUITTO = ['/usr/sbin/mosquitto', '/usr/bin/mosquitto'].find(runnable);
const WEATHER = '0x00158d0001a2b3c4';

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

const settings = (broker, radio) => `version: 5
mqtt: {base_topic: zigbee2mqtt, server: "mqtt://127.0.0.1:${broker}"}
serial: {port: "tcp://127.0.0.1:${radio}", adapter: deconz}
advanced: {channel: 11, pan_id: 6754, ext_pan_id: [221,221,221,221,221,221,221,221], network_key: [1,3,5,7,9,11,13,15,0,2,4,6,8,10,12,13], log_output: [console], last_seen: ISO_8601}
availability: {enabled: true}
frontend: {enabled: false}
homeassistant: {enabled: false}
onboarding: false
`;

if (!runnable(NODE) || !MOSQUITTO) {
  const text = `SKIPPED browser tests of adding Zigbee: there is no ${MOSQUITTO ? NODE : 'mosquitto'}; run 'node tests/run.mjs setup'`;
  console.error(text);
  test(text, { skip: !process.env.CI }, () => assert.fail(text));
} else {
  const it = scene();
  const folder = mkdtempSync(join(tmpdir(), 'riser-zigbee-'));
  const peers = [];
  const ports = {};
  let page;

  const button = (name) => page.getByRole('button', { name, exact: true });
  const finds = () => page.getByRole('list', { name: 'Finds' });
  const find = (text) => finds().getByRole('listitem').filter({ hasText: text });
  const found = () => page.getByRole('region', { name: 'Found' });
  const trial = () => page.getByRole('region', { name: 'A change waits' });

  function start(program, args, options = {}) {
    const log = openSync(join(folder, `${peers.length}.log`), 'w');
    const peer = spawn(program, args, { stdio: ['ignore', log, log], ...options });
    peers.push(peer);
    return peer;
  }

  /** One order to the pretend stick; its answer. */
  const radio = (order) =>
    new Promise((resolve, reject) => {
      const socket = connect(ports.control, '127.0.0.1', () => socket.write(`${JSON.stringify(order)}\n`));
      socket.on('error', reject).once('data', (data) => {
        socket.destroy();
        resolve(JSON.parse(data));
      });
    });

  const listens = (port) =>
    new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.once('close', () => socket.destroy()).once('connect', () => socket.end());
    });

  const lastSearch = async () => (await page.request.get('/api/v1/discovery/zigbee')).json();

  /** Searches, and waits until that one is over. */
  async function search() {
    const before = await lastSearch();
    const form = page.getByRole('region', { name: 'Where to look' });
    await form.getByRole('textbox', { name: 'Port' }).fill(String(ports.broker));
    await form.getByRole('button', { name: /^Search/ }).click();
    let now;
    const over = async () => {
      now = await lastSearch();
      return now.started_at !== before.started_at && now.state !== 'running';
    };
    await until('the search is over', over, 60_000).catch((reason) => {
      throw new Error(`${reason.message}: ${JSON.stringify(now)}`);
    });
    assert.equal(now.state, 'done', JSON.stringify(now));
    await found().getByText(now.words).waitFor();
  }

  const points = async (device) =>
    (await (await page.request.get(`/api/v1/points?device=${device}`)).json()).total;

  before(async () => {
    for (const name of ['broker', 'radio', 'control']) ports[name] = await freePort();
    const lines = `listener ${ports.broker} 127.0.0.1\nallow_anonymous true\nuser root\npersistence false\n`;
    writeFileSync(join(folder, 'mosquitto.conf'), lines);
    start(MOSQUITTO, ['-c', join(folder, 'mosquitto.conf')]);
    await until('the broker listens', () => listens(ports.broker), 20_000);
  });
  after(() => {
    peers.forEach((peer) => peer.kill('SIGKILL'));
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  test('a broker without a bridge: what is missing is said, and nothing can be added', async () => {
    page = await it.local();
    await claim(page, it.building);
    await visit(page, '/add?protocol=zigbee', 'Add devices');
    await search();
    await finds().getByText('zigbee bridge down: the broker answers', { exact: false }).waitFor();
    await finds().getByText('Pointed out').waitFor();
    for (const scheme of ['light', 'dark']) assert.deepEqual(await violations(page, scheme), []);
  });

  test('a bridge nothing has joined yet is found, tried and kept', async () => {
    const stick = join(ROOT, 'tests/peers/zigbee_radio.py');
    start('python3', ['-u', stick, '--port', String(ports.radio), '--control', String(ports.control)]);
    await until('the stick listens', () => listens(ports.control), 20_000);
    writeFileSync(join(folder, 'configuration.yaml'), settings(ports.broker, ports.radio));
    const env = {
      ...process.env,
      ZIGBEE2MQTT_DATA: folder,
      Z2M_ONBOARD_NO_SERVER: '1',
      GIT_DIR: '/nonexistent',
    };
    start(NODE, [join(MODULES, 'zigbee2mqtt/index.js')], { cwd: folder, env });
    await until(
      'the bridge is found running',
      async () => {
        await search();
        return (await find('zigbee2mqtt is running').count()) > 0;
      },
      90_000,
    );
    const bridge = find('zigbee2mqtt is running');
    await bridge.getByText('no devices joined yet', { exact: false }).waitFor();
    await bridge.getByRole('checkbox').check();
    await page.getByRole('combobox', { name: 'To' }).selectOption('A new adapter');
    await page.getByRole('textbox', { name: 'Name of the new adapter' }).fill('building');
    await button('Preview').click();
    await page
      .getByRole('list', { name: 'Differences' })
      .getByText('base_topic', { exact: false })
      .first()
      .waitFor();
    await button('Apply on trial').click();
    await trial().waitFor({ timeout: 30_000 });
    await until('the bridge is there', async () => (await points('building-bridge')) > 0, 30_000);
    await button('Keep it').click();
    await trial().waitFor({ state: 'detached' });
  });

  test('devices are let in from the page of the adapter, and their values come', async () => {
    await visit(page, '/adapters/building', 'building');
    const join = page.getByRole('region', { name: 'Let devices join' });
    await join.getByRole('heading').click();
    await join.getByRole('textbox', { name: /seconds/ }).fill('200');
    await join.getByRole('button').click();
    await until(
      'the network is open',
      async () => {
        const answer = await page.request.get('/api/v1/points/building-bridge/permit_join');
        return (await answer.text()).includes('"value":true');
      },
      30_000,
    );
    await radio({ do: 'join', dev: 'weather' });
    await until('the sensor has points', async () => (await points(WEATHER)) > 3, 60_000);
    const temperature = { do: 'report', dev: 'weather', attrs: [[1, 1026, 0, 41, 2377]] };
    await page.goto(`/points/${WEATHER}/temperature`);
    await until(
      'its temperature is shown',
      async () => {
        await radio(temperature);
        return Math.abs((await presentValue(page).catch(() => 0)) - 23.77) < 0.1;
      },
      60_000,
    );
  });

  test('a device that runs can be given a key of its own', async () => {
    await visit(page, '/add?protocol=zigbee', 'Add devices');
    await search();
    await find('zigbee2mqtt is running').getByText('Known already', { exact: false }).waitFor();
    const weather = find(WEATHER).filter({ hasText: 'offers' });
    await weather.getByText(`it runs already as ${WEATHER}`, { exact: false }).waitFor();
    await weather.getByRole('checkbox').check();
    await page.getByRole('combobox', { name: 'To' }).selectOption('Adapter building, which runs');
    await weather.getByRole('textbox', { name: /^Key of/ }).fill('hall-climate');
    await weather.getByRole('textbox', { name: /^Name of/ }).fill('Hall climate');
    await button('Preview').click();
    const differences = page.getByRole('list', { name: 'Differences' });
    await differences.getByText('device[hall-climate]', { exact: false }).first().waitFor();
    await button('Apply on trial').click();
    await trial().waitFor({ timeout: 30_000 });
    await until('it has its points', async () => (await points('hall-climate')) > 3, 60_000);
  });

  test('on a phone nothing scrolls sideways', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await visit(page, '/add?protocol=zigbee', 'Add devices');
    assert.equal(await scrollsSideways(page), false);
  });

  it.conclude();
}
