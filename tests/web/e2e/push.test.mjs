// The configuration of a real gateway changed from the dashboard: refused, tried, kept, taken back, run again;
// and what the gateway's own pages say of who did it.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { PHONE } from './support/browser.mjs';
import { scrollsSideways, violations } from './support/access.mjs';
import { scene } from './support/scene.mjs';
import { claim, linkBecomes, visit } from './support/steps.mjs';

const it = scene();
const ADMIN = { email: 'admin@demo.example', password: 'admin battery horse' };
const PATH = '/gateways/gw-001/configuration';
/** From the dashboard to the gateway, through its audit log and back, on two busy cores. */
const ANSWER_MS = 45_000;
let local;
let cloud;
let running;

const rule = (message) => `
[[rule]]
key = "on-trial"
point = "ahu-1/supply_temp"
condition = { test = "above", limit = 70.0 }
action.raise_alarm = { priority = "low", message = "${message}" }
`;

const field = () => cloud.getByRole('textbox', { name: 'Document' });
const button = (name) => cloud.getByRole('button', { name, exact: true });
const trial = () => cloud.getByRole('region', { name: 'A change waits' });
const what = () => cloud.getByRole('region', { name: 'What runs' });
const steps = () => cloud.getByRole('table', { name: /Steps of the configuration/ }).getByRole('row');

async function send(text, why) {
  await field().fill(text);
  await cloud.getByLabel('Why').fill(why);
  await button('Send on trial').click();
}

test('the dashboard shows what the gateway runs, from its page', async () => {
  it.building.addUser(ADMIN, 'tenant_admin');
  running = await readFile(it.building.path('riser.toml'), 'utf8');
  local = await it.local();
  await claim(local, it.building);
  await linkBecomes(local, 'Live', 20_000);
  cloud = await it.cloud();
  await cloud.goto('/gateways/gw-001');
  await cloud.getByLabel('E-mail').fill(ADMIN.email);
  await cloud.getByLabel('Password', { exact: true }).fill(ADMIN.password);
  await cloud.getByRole('button', { name: 'Log in' }).click();
  await cloud.getByRole('link', { name: 'Version 1' }).click();
  await cloud.getByRole('heading', { name: 'Configuration', level: 1 }).waitFor();
  await what().getByText('the file').waitFor();
  await steps().filter({ hasText: 'Version 1' }).getByText('from the file').waitFor();
});

test('a document with a mistake is refused in the words of the gateway', async () => {
  await send(running.replace('transport', 'trnasport'), 'a mistake');
  await cloud
    .getByRole('alert')
    .getByText("did you mean 'transport'?", { exact: false })
    .waitFor({ timeout: ANSWER_MS });
  await steps().filter({ hasText: 'Refused' }).getByText(ADMIN.email).waitFor();
  assert.equal(await trial().count(), 0);
});

test('the same document again changes nothing, and says so', async () => {
  await send(`# only a comment\n${running}`, '');
  await cloud
    .getByText('Version 1 says the same and runs already: nothing was changed.')
    .waitFor({ timeout: ANSWER_MS });
});

test('a change runs on trial, shows what it changed, and is kept', async () => {
  await send(running + rule('Only a try'), 'a first try');
  await trial()
    .getByText(/^Taken back in /)
    .waitFor({ timeout: ANSWER_MS });
  await trial().getByText('rule[on-trial].point').waitFor();
  assert.equal(await field().inputValue(), '', 'what was taken is no draft any more');
  assert.equal(await button('Send on trial').isDisabled(), true);
  await steps().filter({ hasText: 'On trial' }).getByText('“a first try”').waitFor();
  await button('Keep it').click();
  await trial().waitFor({ state: 'detached', timeout: ANSWER_MS });
  await what().getByText('2', { exact: true }).waitFor();
  await steps().filter({ hasText: 'Kept' }).getByText('Version 2').waitFor();
});

test("the gateway's own pages say who it was and from where", async () => {
  await visit(local, '/audit?action=configuration', 'Audit log');
  const entries = local.getByRole('table', { name: /Audit log/ }).getByRole('row');
  const applied = entries.filter({ hasText: 'Applied configuration 2' });
  await applied.getByText(ADMIN.email).waitFor();
  await applied.getByText('through the cloud, from 127.0.0.1').waitFor();
  await visit(local, '/configuration', 'Configuration');
  await local
    .getByRole('row')
    .filter({ hasText: 'a first try' })
    .getByText(`${ADMIN.email}, through the cloud, from 127.0.0.1`)
    .waitFor();
});

test('a write and an acknowledgement from the dashboard name the person and the address, too', async () => {
  await visit(cloud, '/gateways/gw-001/points/ahu-1/supply_setpoint', 'Supply air setpoint');
  await button('Write').click();
  const dialog = cloud.getByRole('dialog');
  await dialog.getByLabel('New value').fill('25.8');
  await dialog.getByRole('button', { name: /^Write / }).click();
  await dialog.getByText('Applied', { exact: true }).waitFor();
  await visit(cloud, '/alarms', 'Alarms');
  await cloud
    .getByRole('button', { name: /^Acknowledge/ })
    .first()
    .click();
  await cloud.getByRole('dialog').getByLabel('Comment').fill('Seen from afar');
  await cloud.getByRole('dialog').getByRole('button', { name: 'Acknowledge', exact: true }).click();
  const entries = local.getByRole('table', { name: /Audit log/ }).getByRole('row');
  for (const [action, words] of [
    ['write', 'Wrote 25.8 to ahu-1/supply_setpoint'],
    ['acknowledge', 'Seen from afar'],
  ]) {
    await visit(local, `/audit?action=${action}`, 'Audit log');
    const entry = entries.filter({ hasText: words });
    await entry.getByText(ADMIN.email).waitFor();
    await entry.getByText('through the cloud, from 127.0.0.1').waitFor();
  }
});

test('an earlier version runs again on trial, and is taken back', async () => {
  await visit(cloud, PATH, 'Configuration');
  await cloud.getByRole('button', { name: 'Run again: version 1, on trial' }).click();
  await trial().waitFor({ timeout: ANSWER_MS });
  await button('Take it back').click();
  await trial().waitFor({ state: 'detached', timeout: ANSWER_MS });
  const back = steps().filter({ hasText: 'Taken back' });
  await back.getByText('Version 2 runs again.').waitFor();
  await what().getByText('2', { exact: true }).waitFor();
});

test('a change on trial fits a phone, where it is kept by thumb', async () => {
  await cloud.setViewportSize(PHONE);
  await send(running + rule('By thumb'), '');
  await trial().waitFor({ timeout: ANSWER_MS });
  for (const scheme of ['light', 'dark']) assert.deepEqual(await violations(cloud, scheme), []);
  assert.equal(await scrollsSideways(cloud), false);
  const box = await button('Keep it').boundingBox();
  assert.ok(box.height >= 44, `${box.height} px high`);
  await button('Keep it').click();
  await trial().waitFor({ state: 'detached', timeout: ANSWER_MS });
  await cloud.setViewportSize({ width: 1440, height: 900 });
});

test('a document waits for a gateway that is away: it is cancelled, or runs when the gateway is back', async () => {
  const waiting = cloud.getByRole('region', { name: 'A document waits for the gateway' });
  await it.building.kill('riserd');
  await cloud
    .getByText('The gateway is not connected: the document waits for it', { exact: false })
    .waitFor({ timeout: 60_000 });
  assert.equal(
    await cloud.getByRole('button', { name: 'Run again: version 1, on trial' }).isDisabled(),
    true,
  );
  await send(running + rule('Not this one'), 'too early');
  await waiting.getByText('too early', { exact: false }).waitFor();
  await waiting.getByRole('button', { name: 'Cancel it' }).click();
  await waiting.waitFor({ state: 'detached' });
  await send(running + rule('When you are back'), 'for later');
  await waiting.getByText('for later', { exact: false }).waitFor();
  await waiting.getByText(ADMIN.email).waitFor();
  for (const scheme of ['light', 'dark']) assert.deepEqual(await violations(cloud, scheme), []);
  it.building.restart('riserd');
  await trial().waitFor({ timeout: 75_000 });
  await waiting.waitFor({ state: 'detached' });
  await trial().getByText('When you are back').waitFor();
  assert.equal(await steps().filter({ hasText: 'too early' }).count(), 0);
  await button('Keep it').click();
  await trial().waitFor({ state: 'detached', timeout: ANSWER_MS });
});

test('an operator is told who can', async () => {
  const operator = await it.cloud();
  await operator.goto(PATH);
  await operator.getByLabel('E-mail').fill(it.building.cloud.email);
  await operator.getByLabel('Password', { exact: true }).fill(it.building.cloud.password);
  await operator.getByRole('button', { name: 'Log in' }).click();
  await operator.getByText('Your role does not show configurations').waitFor();
});

it.conclude();
