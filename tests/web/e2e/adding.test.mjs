// Commissioning on the gateway's own page against a real Modbus server (pymodbus): search, choose, preview,
// try, see live values, keep. Without the peer it is skipped, loudly; where CI is set that fails.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { scrollsSideways, violations } from './support/access.mjs';
import { searchFor } from './support/adding.mjs';
import { freePort } from './support/building.mjs';
import { ROOT, runnable } from './support/programs.mjs';
import { scene } from './support/scene.mjs';
import { claim, presentValue, visit } from './support/steps.mjs';
import { until } from './support/until.mjs';

const PYTHON = join(process.env.RISER_PEERS ?? join(ROOT, '.peers'), 'modbus/bin/python');
const TUYA = PYTHON.replace('modbus/bin', 'tuya/bin');

if (!runnable(PYTHON)) {
  const text = `SKIPPED browser tests of adding devices: there is no ${PYTHON}; run 'node tests/run.mjs setup peers'`;
  console.error(text);
  test(text, { skip: !process.env.CI }, () => assert.fail(text));
} else {
  const it = scene();
  let page;
  let peer;
  let port;

  const button = (name) => page.getByRole('button', { name, exact: true });
  const finds = () => page.getByRole('list', { name: 'Finds' });
  const find = (unit) =>
    finds()
      .getByRole('listitem')
      .filter({ hasText: `:${port} unit ${unit}` });
  const found = () => page.getByRole('region', { name: 'Found' });

  const search = (fields) => searchFor(page, fields);

  before(async () => {
    port = await freePort();
    peer = spawn(PYTHON, [join(ROOT, 'tests/peers/modbus_meter.py'), String(port)]);
    let said = '';
    peer.stdout.on('data', (chunk) => (said += chunk));
    await until('the peer listens', () => said.includes('READY'), 20_000);
  });
  after(() => peer?.kill('SIGKILL'));

  test('the way there: from the devices to the protocols', async () => {
    page = await it.local();
    await claim(page, it.building);
    await visit(page, '/devices', 'Devices');
    await page.getByRole('link', { name: 'Add devices' }).click();
    await page.getByRole('heading', { name: 'Add devices', level: 1 }).waitFor();
    await page.getByRole('radio', { name: 'Modbus' }).check();
    await page.getByRole('region', { name: 'Where to look' }).waitFor();
    assert.match(page.url(), /protocol=modbus/);
  });

  test('options that cannot be used are said at once', async () => {
    await search({ 'Where to look': '10.0.0.0/8', 'TCP port': port });
    await page.getByRole('alert').getByText('more than 1024 hosts', { exact: false }).waitFor();
  });

  test('a search that finds nothing says what to look at', async () => {
    await search({
      'Where to look': '127.0.0.1',
      'TCP port': port,
      'Unit ids': '20-22',
      'Questions a second': 100,
    });
    await found().getByText('Nothing was found').waitFor({ timeout: 30_000 });
    await found().getByText('Is the unit id within the ones that were asked?', { exact: false }).waitFor();
  });

  test('what another adapter has open is left alone, and that is said', async () => {
    const field = it.building.fieldPort();
    await search({ 'TCP port': field, 'Unit ids': '1' });
    await finds()
      .getByText(/in use by lane/)
      .waitFor();
    await finds().getByText('Pointed out').waitFor();
  });

  test('devices are found with what they say, and with the profile that fits', async () => {
    await search({ 'TCP port': port, 'Unit ids': '1, 2, 5' });
    await found().getByText('Finished: 3 devices found.').waitFor({ timeout: 30_000 });
    await find(1).getByText('carlo-gavazzi-em24-e1').waitFor();
    await find(5).getByText('no profile fits', { exact: false }).waitFor();
  });

  test('a key that is taken is named, with another that would do', async () => {
    await find(1).getByRole('checkbox').check();
    await find(1)
      .getByRole('textbox', { name: /^Name of/ })
      .fill('Main meter');
    await find(1)
      .getByRole('textbox', { name: /^Key of/ })
      .fill('ahu-1');
    await button('Preview').click();
    const against = page.getByRole('list', { name: 'What stands against it' });
    await against.getByText("key 'ahu-1' is another device's").waitFor();
    await against.getByRole('button', { name: 'Use ahu-1-2' }).click();
    await page.getByRole('list', { name: 'Points that appear' }).getByText('ahu-1-2/voltage_l1').waitFor();
    await find(1)
      .getByRole('textbox', { name: /^Key of/ })
      .fill('main-meter');
  });

  test('the preview shows what is written and which points appear; nothing has changed yet', async () => {
    await button('Preview').click();
    const points = page.getByRole('list', { name: 'Points that appear' });
    await points.getByText('main-meter/voltage_l1').waitFor();
    const differences = page.getByRole('list', { name: 'Differences' });
    await differences.getByText('device[main-meter].profile', { exact: false }).waitFor();
    for (const scheme of ['light', 'dark']) assert.deepEqual(await violations(page, scheme), []);
    const answer = await page.request.get('/api/v1/points?device=main-meter');
    assert.equal((await answer.json()).total, 0);
  });

  test('applied on trial, its values are live, and it is kept', async () => {
    await button('Apply on trial').click();
    const trial = page.getByRole('region', { name: 'A change waits' });
    await trial.waitFor({ timeout: 30_000 });
    await find(1).getByText('Known already, as main-meter').waitFor();
    await page.goto('/points/main-meter/voltage_l1');
    await until('the meter is read', async () => (await presentValue(page).catch(() => 0)) === 230.2, 30_000);
    await visit(page, '/add?protocol=modbus', 'Add devices');
    await button('Keep it').click();
    await trial.waitFor({ state: 'detached' });
    const document = await (await page.request.get('/api/v1/config')).json();
    assert.equal(document.version.state, 'confirmed');
    assert.match(document.document, /key = "main-meter"\nname = "Main meter"/);
  });

  test('an adapter has a page with its state, and says that it has no operations', async () => {
    await visit(page, '/devices', 'Devices');
    const adapters = page.getByRole('list', { name: 'Adapters' });
    await adapters.getByRole('link').filter({ hasText: 'modbus' }).first().click();
    await page.getByRole('region', { name: 'State' }).getByText('Running').waitFor();
    await page.getByText('No operations').waitFor();
    for (const scheme of ['light', 'dark']) assert.deepEqual(await violations(page, scheme), []);
  });

  test('a Tuya device announces itself; its key and profile are asked for, and its values come', async (t) => {
    if (!runnable(TUYA)) return t.skip(`there is no ${TUYA}`);
    const device = [
      '3.4',
      'bf0123456789abcdef01zz',
      '0123456789abcdef',
      '--host',
      '127.0.0.2',
      '--port',
      '6668',
    ];
    const script = join(ROOT, 'tests/peers/tuya_peer.py');
    const plug = spawn(TUYA, [script, ...device, '--beacon', '127.0.0.1:6667']);
    t.after(() => plug.kill('SIGKILL'));
    await visit(page, '/add?protocol=tuya', 'Add devices');
    await search({ 'How long to listen': 5 });
    const announced = finds().getByRole('listitem').filter({ hasText: '127.0.0.2' });
    await announced.getByRole('checkbox').check({ timeout: 20_000 });
    await announced.getByRole('textbox', { name: /^Key of/ }).fill('plug');
    await button('Preview').click();
    const against = page.getByRole('list', { name: 'What stands against it' });
    await against.getByText("'local_key' has to be given").waitFor();
    await announced.getByRole('textbox', { name: /^local_key of/ }).fill('0123456789abcdef');
    await announced.getByRole('textbox', { name: /^Profile of/ }).fill('plug-meterin');
    await button('Preview').click();
    await against.getByText('plug-metering', { exact: false }).waitFor();
    await announced.getByRole('textbox', { name: /^Profile of/ }).fill('plug-metering');
    await button('Preview').click();
    await page.getByRole('list', { name: 'Points that appear' }).getByText('plug/voltage').waitFor();
    assert.equal(await page.getByText('0123456789abcdef', { exact: true }).count(), 0);
    await button('Apply on trial').click();
    await page.getByRole('region', { name: 'A change waits' }).waitFor({ timeout: 30_000 });
    await page.goto('/points/plug/voltage');
    await until('the plug is read', async () => (await presentValue(page).catch(() => 0)) === 231.1, 30_000);
  });

  test('an operation is asked for, refused in words, and recorded without its secret', async (t) => {
    if (!runnable(TUYA)) return t.skip(`there is no ${TUYA}`);
    await visit(page, '/adapters/rooms-tuya', 'rooms-tuya');
    const update = page.getByRole('region', { name: 'Update local key' });
    await update.getByRole('button').click();
    await update.getByText('Has to be given').first().waitFor();
    await update.getByRole('combobox', { name: 'Device' }).selectOption('plug');
    await update.getByRole('textbox').fill('too short');
    await update.getByRole('button').click();
    await update.getByRole('alert').waitFor();
    for (const scheme of ['light', 'dark']) assert.deepEqual(await violations(page, scheme), []);
    const log = await (await page.request.get('/api/v1/audit?action=operation&limit=10')).json();
    assert.match(log.entries[0].detail, /hidden/);
    assert.doesNotMatch(log.entries[0].detail, /too short/);
  });

  test('on a phone nothing scrolls sideways and a find can be ticked with a thumb', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await visit(page, '/add?protocol=modbus', 'Add devices');
    await find(2).getByRole('checkbox').check();
    await button('Preview').click();
    await page.getByRole('list', { name: 'Points that appear' }).waitFor();
    assert.equal(await scrollsSideways(page), false);
    const box = await button('Apply on trial').boundingBox();
    assert.ok(box.height >= 44, `${box.height} px high`);
  });

  it.conclude();
}
