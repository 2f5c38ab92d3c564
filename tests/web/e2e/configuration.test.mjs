// The configuration of a real gateway, changed from its own page: checked, tried, kept, taken back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scene } from './support/scene.mjs';
import { claim, visit } from './support/steps.mjs';
import { until } from './support/until.mjs';

const it = scene();
let page;

const RULE = `
[[rule]]
key = "on-trial"
point = "ahu-1/supply_temp"
condition = { test = "above", limit = 70.0 }
action.raise_alarm = { priority = "low", message = "Only a try" }
`;

const editor = () => page.getByRole('textbox', { name: 'Document' });
const button = (name) => page.getByRole('button', { name, exact: true });
const trial = () => page.getByRole('region', { name: 'A change waits' });
const row = (version) =>
  page
    .getByRole('table', { name: 'Versions' })
    .getByRole('row')
    .filter({ has: page.getByRole('cell', { name: String(version), exact: true }) });

test('the page shows what runs, from the file', async () => {
  page = await it.local();
  await claim(page, it.building);
  await visit(page, '/settings', 'Settings');
  await page.getByRole('link', { name: 'What runs, and its versions' }).click();
  await page.getByRole('heading', { name: 'Configuration', level: 1 }).waitFor();
  await row(1).getByText('from the file').waitFor();
  assert.match(await editor().inputValue(), /\[gateway\]/);
});

test('a document with a mistake is refused with the nearest known word, and nothing changes', async () => {
  const text = await editor().inputValue();
  await editor().fill(text.replace('transport', 'trnasport'));
  await button('Check').click();
  await page.getByRole('alert').getByText("did you mean 'transport'?", { exact: false }).waitFor();
  await button('Discard').click();
  assert.equal(await editor().inputValue(), text);
});

test('a change is shown before it is done, runs on trial, and is kept', async () => {
  await editor().fill((await editor().inputValue()) + RULE);
  await button('Check').click();
  await page.getByText('Swaps the rules. Everything else runs on.').waitFor();
  const differences = page.getByRole('list', { name: 'Differences' });
  await differences.getByText('rule[on-trial].point').waitFor();
  await page.getByLabel('Why').fill('a first try');
  await button('Apply on trial').click();
  await trial()
    .getByText(/^Taken back in /)
    .waitFor();
  await trial().getByText('rule[on-trial].point').waitFor();
  await row(2).getByText('On trial').waitFor();
  await button('Keep it').click();
  await trial().waitFor({ state: 'detached' });
  await row(2).getByText('Runs', { exact: true }).waitFor();
  await row(2).getByText('“a first try”').waitFor();
});

test('an earlier version runs again on trial, and is taken back', async () => {
  await row(1).getByRole('button', { name: 'Compare' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('rule[on-trial].point').waitFor();
  await dialog.getByRole('button', { name: 'Run version 1 again, on trial' }).click();
  await trial().waitFor();
  await button('Take it back').click();
  await trial().waitFor({ state: 'detached' });
  await row(3).getByText('Taken back', { exact: true }).waitFor();
  assert.match(await editor().inputValue(), /on-trial/);
  await visit(page, '/audit', 'Audit log');
  await page.getByText('Took back configuration 3', { exact: false }).first().waitFor();
});

test('on a phone nothing scrolls sideways and a change can be kept', async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await visit(page, '/configuration', 'Configuration');
  await editor().waitFor();
  const text = await editor().inputValue();
  await editor().fill(text.replace('Only a try', 'Another try'));
  await button('Check').click();
  await button('Apply on trial').click();
  await trial().waitFor();
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  assert.equal(wide, false);
  const box = await button('Keep it').boundingBox();
  assert.ok(box.height >= 44, `${box.height} px high`);
  await button('Keep it').click();
  await until('it is kept', async () => (await trial().count()) === 0);
});

it.conclude();
