// Both UIs by keyboard alone: every step is a key, and the focus is seen at each.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { focused, focusReaches, tabTo } from './support/access.mjs';
import { scene } from './support/scene.mjs';
import { claim, OWNER, valueBecomes } from './support/steps.mjs';

const it = scene();
let page;

const press = (...keys) =>
  keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve());
const type = (text) => page.keyboard.type(text);
/** Nobody tabs on while a dialog still fades. */
const closed = (name) => page.getByRole('dialog', { name }).waitFor({ state: 'detached' });
const heading = (name) => page.getByRole('heading', { name, level: 1 }).waitFor();

test('logs in', async () => {
  await claim(await it.local(), it.building);
  page = await it.local();
  await page.goto('/');
  await page.getByRole('button', { name: 'Log in' }).waitFor();
  await tabTo(page, /^User/);
  await type(OWNER.user);
  await tabTo(page, /^Password/);
  await type(OWNER.password);
  await press('Enter');
  await heading('Home');
});

test('skips the navigation', async () => {
  await page.reload();
  await heading('Home');
  await press('Tab');
  assert.deepEqual(await focused(page), { name: 'Skip to content', seen: true });
  await press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'content');
});

test('searches a point and writes it', async () => {
  await press('/');
  await focusReaches(page, /^Search/);
  await type('supply air setpoint');
  await page.getByRole('option', { name: /Supply air setpoint/ }).waitFor();
  await press('Enter');
  await heading('Supply air setpoint');
  await closed('Search');
  await tabTo(page, /^Write$/);
  await press('Enter');
  await focusReaches(page, /^New value/);
  await press('Control+A');
  await type('25.6');
  await tabTo(page, /^Hold/);
  await type('15');
  await tabTo(page, /^Priority/);
  await tabTo(page, /^Write 25\.6/);
  await press('Enter');
  await page.getByRole('dialog').getByText('Applied', { exact: true }).waitFor();
  await tabTo(page, /^Done$/);
  await press('Enter');
  await closed(/^Write/);
  await focusReaches(page, /^Write$/);
  await valueBecomes(page, '25.6', (now) => now === 25.6);
});

test('goes to the alarms and takes one', async () => {
  await press('/');
  await focusReaches(page, /^Search/);
  await type('alarms');
  await page.getByRole('option', { name: /^Alarms/ }).waitFor();
  await press('Enter');
  await heading('Alarms');
  await closed('Search');
  await page
    .getByRole('button', { name: /^Acknowledge/ })
    .first()
    .waitFor();
  await tabTo(page, /^Acknowledge/);
  await press('Enter');
  await focusReaches(page, /^Comment/);
  await type('By keyboard');
  await tabTo(page, /^Acknowledge$/);
  await press('Enter');
  await page.getByText(/anna, .*: By keyboard/).waitFor();
  await closed('Acknowledge alarm');
});

test('Escape leaves a dialog without doing anything', async () => {
  await press('/');
  await focusReaches(page, /^Search/);
  await press('Escape');
  await closed('Search');
  await heading('Alarms');
});

test('goes through the records: completeness, configuration, audit log', async () => {
  for (const [link, title] of [
    [/^What became of every sample/, 'Completeness'],
    [/^What runs, and its versions/, 'Configuration'],
    [/^Who did what: the audit log/, 'Audit log'],
  ]) {
    await page.goto('/settings');
    await heading('Settings');
    await tabTo(page, link);
    await press('Enter');
    await heading(title);
  }
  await page.getByRole('table', { name: /Audit log/ }).waitFor();
  await tabTo(page, /^Claimed this gateway/);
  await press('Enter');
  await page.getByText('Hash', { exact: true }).waitFor();
});

test('tries a configuration and keeps it', async () => {
  await page.goto('/configuration');
  await heading('Configuration');
  await page.getByRole('textbox', { name: 'Document' }).waitFor();
  await tabTo(page, /^Document/);
  await press('Control+End');
  await type('\n[[rule]]\nkey = "by-keyboard"\npoint = "ahu-1/supply_temp"\n');
  await type('condition = { test = "above", limit = 70.0 }\n');
  await type('action.raise_alarm = { priority = "low", message = "By keyboard" }\n');
  await tabTo(page, /^Check$/);
  await press('Enter');
  await page.getByRole('button', { name: 'Apply on trial' }).waitFor();
  // The same button, so that the focus is not lost.
  await focusReaches(page, /^Apply on trial$/);
  await press('Enter');
  await page.getByRole('region', { name: 'A change waits' }).waitFor();
  await page.reload();
  await page.getByRole('region', { name: 'A change waits' }).waitFor();
  await tabTo(page, /^Keep it$/);
  await press('Enter');
  await page.getByRole('region', { name: 'A change waits' }).waitFor({ state: 'detached' });
});

test('the dashboard: logs in, opens a gateway, writes', async () => {
  page = await it.cloud();
  await page.goto('/');
  await page.getByRole('button', { name: 'Log in' }).waitFor();
  await tabTo(page, /^E-mail/);
  await type(it.building.cloud.email);
  await tabTo(page, /^Password/);
  await type(it.building.cloud.password);
  await press('Enter');
  await heading('Gateways');
  await tabTo(page, /^Demo building/);
  await press('Enter');
  await heading('Demo building');
  await press('/');
  await focusReaches(page, /^Search/);
  await type('ahu-1/supply_setpoint');
  await page.getByRole('option', { name: /Supply air setpoint/ }).waitFor();
  await press('Enter');
  await heading('Supply air setpoint');
  await closed('Search');
  await tabTo(page, /^Write$/);
  await press('Enter');
  await focusReaches(page, /^New value/);
  await press('Control+A');
  await type('20.5');
  await press('Enter');
  await page.getByRole('dialog').getByText('The device reports 20.5').waitFor();
});

it.conclude();
