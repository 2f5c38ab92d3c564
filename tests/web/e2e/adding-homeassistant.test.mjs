// Commissioning of a real Home Assistant on the gateway's own page: found by its greeting, its token asked
// for, its entities live, one of them written. Its installation is heavy: without it these are skipped,
// loudly, in CI too; `make nightly` installs it and runs them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { scrollsSideways, violations } from './support/access.mjs';
import { searchFor } from './support/adding.mjs';
import { freePort } from './support/building.mjs';
import { ROOT, runnable } from './support/programs.mjs';
import { scene } from './support/scene.mjs';
import { claim, presentValue, visit, writeApplied } from './support/steps.mjs';
import { until } from './support/until.mjs';

const PYTHON = join(process.env.RISER_PEERS ?? join(ROOT, '.peers'), 'homeassistant/bin/python');

if (!runnable(PYTHON)) {
  const text = `SKIPPED browser tests of adding Home Assistant: there is no ${PYTHON}; run 'make nightly'`;
  console.error(text);
  test(text, { skip: true }, () => {});
} else {
  const it = scene();
  const folder = mkdtempSync(join(tmpdir(), 'riser-house-'));
  let page;
  let house;
  let port;
  let token;

  const button = (name) => page.getByRole('button', { name, exact: true });
  const finds = () => page.getByRole('list', { name: 'Finds' });
  const found = () => page.getByRole('region', { name: 'Found' });
  const trial = () => page.getByRole('region', { name: 'A change waits' });
  const against = () => page.getByRole('list', { name: 'What stands against it' });
  const points = async () => (await (await page.request.get('/api/v1/points?search=setpoint')).json()).points;

  const search = (fields) => searchFor(page, fields);

  before(async () => {
    port = await freePort();
    house = spawn(PYTHON, [join(ROOT, 'tests/peers/homeassistant_peer.py'), String(port), folder, '1']);
    let said = '';
    house.stdout.on('data', (chunk) => (said += chunk));
    await until('Home Assistant runs', () => /ready (\S+)/.test(said), 180_000);
    token = said.match(/ready (\S+)/)[1];
  });
  after(async () => {
    house?.stdin.end();
    if (house && house.exitCode === null) await new Promise((resolve) => house.once('exit', resolve));
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  test('where nobody answers, what to look at is said', async () => {
    page = await it.local();
    await claim(page, it.building);
    await visit(page, '/add?protocol=homeassistant', 'Add devices');
    await search({ Hosts: '127.0.0.1', Port: 1 });
    await found().getByText('Nothing was found').waitFor();
    await found().getByText('access token', { exact: false }).waitFor();
  });

  test('it is found with its version, and its token is asked for', async () => {
    await search({ Hosts: '127.0.0.1', Port: port });
    const one = finds().getByRole('listitem');
    await one.getByText('2024.3', { exact: false }).waitFor();
    await one.getByText('long-lived access token', { exact: false }).waitFor();
    await one.getByRole('checkbox').check();
    await button('Preview').click();
    await against().getByText('token', { exact: false }).first().waitFor();
    for (const scheme of ['light', 'dark']) assert.deepEqual(await violations(page, scheme), []);
  });

  test('a wrong token is said in words, and the change is taken back', async () => {
    await finds()
      .getByRole('textbox', { name: /^token of/ })
      .fill('wrong');
    await button('Preview').click();
    await button('Apply on trial').click();
    await trial().waitFor();
    const answer = async () => (await page.request.get('/api/v1/lanes')).text();
    await until(
      'the wrong token is said',
      async () => (await answer()).includes('refuses the access token'),
      60_000,
    );
    await trial().getByRole('button', { name: 'Take it back' }).click();
    await trial().waitFor({ state: 'detached' });
  });

  test('with its token its entities are live, and it is kept', async () => {
    await visit(page, '/add?protocol=homeassistant', 'Add devices');
    await search({ Hosts: '127.0.0.1', Port: port });
    await finds().getByRole('checkbox').check();
    await finds()
      .getByRole('textbox', { name: /^token of/ })
      .fill(token);
    await button('Preview').click();
    await page
      .getByRole('list', { name: 'Differences' })
      .getByText('url', { exact: false })
      .first()
      .waitFor();
    assert.equal(await page.getByText(token, { exact: false }).count(), 0);
    await button('Apply on trial').click();
    await trial().waitFor();
    await until('its entities are points', async () =>
      (await points()).some(({ path }) => /setpoint/.test(path)),
    );
    await button('Keep it').click();
    await trial().waitFor({ state: 'detached' });
  });

  test('a number of it is written and read back', async () => {
    const { path } = (await points()).find((point) => /input_number|house/.test(point.path));
    await page.goto(`/points/${path}`);
    await until('it is read', async () => (await presentValue(page).catch(() => 0)) === 20);
    await writeApplied(page, 21.5);
  });

  test('on a phone nothing scrolls sideways', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await visit(page, '/add?protocol=homeassistant', 'Add devices');
    assert.equal(await scrollsSideways(page), false);
  });

  it.conclude();
}
