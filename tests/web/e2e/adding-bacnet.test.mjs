// Commissioning of BACnet on the gateway's own page against real devices of an independent stack
// (rusty-bacnet) behind a BBMD: two of them with one instance, which is said. Without the peer it is
// skipped, loudly; where CI is set that fails.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { scrollsSideways, violations } from './support/access.mjs';
import { searchFor } from './support/adding.mjs';
import { ROOT, runnable } from './support/programs.mjs';
import { scene } from './support/scene.mjs';
import { claim, presentValue, visit } from './support/steps.mjs';
import { until } from './support/until.mjs';

const PYTHON = join(process.env.RISER_PEERS ?? join(ROOT, '.peers'), 'bacnet/bin/python');

/** A UDP port that was free a moment ago. */
const freePort = () =>
  new Promise((resolve) => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1', () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });

if (!runnable(PYTHON)) {
  const text = `SKIPPED browser tests of adding BACnet devices: there is no ${PYTHON}; run 'node tests/run.mjs setup'`;
  console.error(text);
  test(text, { skip: !process.env.CI }, () => assert.fail(text));
} else {
  const it = scene();
  const peers = [];
  let page;
  let field;
  let own;

  const button = (name) => page.getByRole('button', { name, exact: true });
  const finds = () => page.getByRole('list', { name: 'Finds' });
  const find = (text) => finds().getByRole('listitem').filter({ hasText: text });
  const found = () => page.getByRole('region', { name: 'Found' });

  async function device(last, instance, ...more) {
    const script = join(ROOT, 'tests/peers/bacnet_rusty.py');
    const where = [`127.0.0.${last}`, String(instance), '--port', String(field)];
    const peer = spawn(PYTHON, ['-u', script, ...where, ...more]);
    peers.push(peer);
    let said = '';
    peer.stdout.on('data', (chunk) => (said += chunk));
    await until(`device ${instance} listens`, () => said.includes('READY'), 30_000);
  }

  const search = (fields) => searchFor(page, fields);

  before(async () => {
    field = await freePort();
    own = await freePort();
    await device(21, 2101, '--bbmd', '');
    await device(22, 2102, '--seg');
    await device(23, 2102, '--seg');
  });
  after(() => peers.forEach((peer) => peer.kill('SIGKILL')));

  test('a search in the own network alone finds nobody, and says what to look at', async () => {
    page = await it.local();
    await claim(page, it.building);
    await visit(page, '/add?protocol=bacnet', 'Add devices');
    await search({ 'How long to look, in seconds': 2, 'UDP port': own });
    await found().getByText('Nothing was found').waitFor({ timeout: 30_000 });
    await found().getByText('BBMD', { exact: false }).first().waitFor();
    await find(`UDP port ${own}`).getByText('no device answered', { exact: false }).waitFor();
  });

  test('through the BBMD of their network they are found, and a doubled instance is said', async () => {
    await search({ 'How long to look, in seconds': 6, 'BBMD of another network': `127.0.0.21:${field}` });
    await found().getByText('Finished: 3 devices found', { exact: false }).waitFor({ timeout: 60_000 });
    await find('2101').getByText('RB-2101').waitFor();
    await finds().getByText('duplicate device id', { exact: false }).first().waitFor();
    for (const scheme of ['light', 'dark']) assert.deepEqual(await violations(page, scheme), []);
  });

  test('chosen, previewed and tried, the values of its objects are live', async () => {
    const one = find('RB-2101');
    await one.getByRole('checkbox').check();
    await one.getByRole('textbox', { name: /^Key of/ }).fill('roof-ahu');
    await one.getByRole('textbox', { name: /^Name of/ }).fill('Roof air handling unit');
    await button('Preview').click();
    await page
      .getByRole('list', { name: 'Differences' })
      .getByText('device[roof-ahu]', { exact: false })
      .first()
      .waitFor();
    await button('Apply on trial').click();
    await page.getByRole('region', { name: 'A change waits' }).waitFor({ timeout: 30_000 });
    await until(
      'its objects are learned',
      async () => (await (await page.request.get('/api/v1/points?device=roof-ahu')).json()).total > 5,
      60_000,
    );
    await page.goto('/points/roof-ahu/ai-1');
    const warm = async () => {
      const value = await presentValue(page).catch(() => 0);
      return value > 15 && value < 30;
    };
    await until('its temperature is read', warm, 30_000);
  });

  test('on a phone nothing scrolls sideways', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await visit(page, '/add?protocol=bacnet', 'Add devices');
    assert.equal(await scrollsSideways(page), false);
  });

  it.conclude();
}
