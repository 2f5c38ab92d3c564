// The technician's UI on a real gateway, from the first boot on.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { mark, wasReloaded } from './support/browser.mjs';
import { scene } from './support/scene.mjs';
import {
  acknowledge,
  alarmRow,
  claim,
  cloudHop,
  fillWrite,
  linkBecomes,
  logInLocally,
  OWNER,
  presentValue,
  readCsv,
  valueBecomes,
  valueChanges,
  visit,
  write,
  writeApplied,
} from './support/steps.mjs';
import { until } from './support/until.mjs';

const it = scene();
let page;

test('a first boot is claimed by whoever has the code, and nobody else', async () => {
  page = await it.local();
  await page.goto('/points');
  await page.getByLabel('Claim code').fill('AAAAA-AAAAA');
  await page.getByLabel('User').fill(OWNER.user);
  await page.getByLabel('Password', { exact: true }).fill('short');
  await page.getByLabel('Password again').fill('other');
  await page.getByRole('button', { name: 'Claim and log in' }).click();
  await page.getByText('The two are not the same.').waitFor();
  await page.getByLabel('Password', { exact: true }).fill(OWNER.password);
  await page.getByLabel('Password again').fill(OWNER.password);
  await page.getByRole('button', { name: 'Claim and log in' }).click();
  assert.match(await page.getByRole('alert').innerText(), /code/i);
  await claim(page, it.building);
  await page.getByText('anna', { exact: true }).first().waitFor();
});

test('logs out; a wrong password is told; the right one opens the page that was asked for', async () => {
  await visit(page, '/settings', 'Settings');
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByRole('heading', { name: 'Demo building' }).waitFor();
  await logInLocally(page, { user: OWNER.user, password: 'not this one' });
  assert.match(await page.getByRole('alert').innerText(), /password/i);
  assert.equal(await page.getByLabel('Password', { exact: true }).inputValue(), '');
  await logInLocally(page);
  await page.getByRole('heading', { name: 'Settings', level: 1 }).waitFor();
});

test('a page without a session shows nothing of the building', async () => {
  const stranger = await it.local();
  await stranger.goto('/points');
  await stranger.getByRole('button', { name: 'Log in' }).waitFor();
  assert.equal(await stranger.getByText('Supply air').count(), 0);
});

test('the overview tells the way of a value, and that the link is live', async () => {
  await visit(page, '/', 'Home');
  await linkBecomes(page, 'Live', 20_000);
  assert.match(await cloudHop(page).innerText(), /Through queue, cloud and back in/);
  const chain = page.getByRole('list', { name: 'The way of a value' });
  await chain.getByText(/^(\d+) of \1 devices answer\.$/).waitFor();
  await page.getByRole('table', { name: 'Lanes' }).getByText('plant').first().waitFor();
});

test('a value changes on its page without a reload', async () => {
  await visit(page, '/points/ahu-1/duct_pressure', 'Supply duct pressure');
  await mark(page);
  await valueChanges(page, 3);
  assert.equal(await wasReloaded(page), false);
});

test('points are found by name, device and quality, and the view is a link', async () => {
  await visit(page, '/points', 'Points');
  const table = page.getByRole('table', { name: 'Points' });
  const names = () => table.getByRole('row').getByRole('link').locator('.r-mono').allInnerTexts();
  const { total } = await (await page.request.get('/api/v1/points?limit=1')).json();
  assert.ok(total > 100, `${total} points of four protocols`);
  await until('every point is listed', async () => (await names()).length === total);
  await page.getByLabel('Search points by name or path').fill('setpoint');
  await until('nine setpoints are listed', async () => {
    const found = await names();
    return found.length === 9 && found.every((path) => path.includes('setpoint'));
  });
  await page.getByLabel('Device').selectOption('ahu-1');
  await until('those of the AHU are listed', async () => (await names()).length === 2);
  await page.reload();
  await until('the link shows the same', async () => {
    return (await names()).join() === 'ahu-1/co2_setpoint,ahu-1/supply_setpoint';
  });
  await page.goto('/points');
  await page.getByText('Bad', { exact: true }).click();
  await until('the sensor that is not fitted is bad, and what has never been told', async () => {
    return (await names()).join() === 'ahu-1/humidifier,rooms-zigbee-bridge/last_event';
  });
  await page
    .getByRole('button', { name: /explain/ })
    .first()
    .click();
  await page.getByRole('dialog').getByText('Last good answer', { exact: false }).waitFor();
  await page.keyboard.press('Escape');
});

test('the search opens a point from anywhere', async () => {
  await visit(page, '/devices', 'Devices');
  await page.keyboard.press('/');
  await page.getByRole('combobox', { name: /^Search/ }).fill('supply air set');
  await page.getByRole('option', { name: /Supply air setpoint/ }).waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Supply air setpoint', level: 1 }).waitFor();
});

test('a setpoint is written with priority and expiry; the device reports it; it shows who holds it', async () => {
  await visit(page, '/points/ahu-1/supply_setpoint', 'Supply air setpoint');
  await mark(page);
  await writeApplied(page, 25.5, { priority: 9, hold: '15 minutes' });
  await valueBecomes(page, '25.5', (now) => now === 25.5);
  await page.getByText(/^priority 9, anna, until \d/).waitFor();
  const history = page.getByRole('listitem').filter({ hasText: 'at priority 9 by anna' });
  await history.getByText('Applied').waitFor();
  assert.equal(await wasReloaded(page), false);
});

test('a value beyond the limits is refused before it is sent', async () => {
  const dialog = await fillWrite(page, 31);
  await dialog.getByText(/Not above 26\.0/).waitFor();
  assert.equal(await dialog.getByRole('button', { name: 'Write', exact: true }).isDisabled(), true);
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  assert.equal(await presentValue(page), 25.5);
});

test('a write below a level that somebody holds waits, and says for whom', async () => {
  const dialog = await write(page, 20, { priority: 12, hold: 'Until released' });
  await dialog.getByText('Accepted, not effective').waitFor();
  await dialog.getByText(/anna holds the point at priority 9/).waitFor();
  await dialog.getByRole('button', { name: 'Undo: release priority 12' }).click();
  await dialog.getByText('Release priority 12').waitFor();
  await dialog.getByRole('button', { name: 'Done' }).click();
  await until('priority 12 is free', async () => (await page.getByText(/^priority 12,/).count()) === 0);
  assert.equal(await presentValue(page), 25.5);
});

test('the warm air that the write made raises an alarm, which is acknowledged with a comment', async () => {
  await page.getByRole('link', { name: /^Alarms/ }).click();
  const row = alarmRow(page, 'Supply air is too warm');
  await row.getByText('Active, not acknowledged').waitFor({ timeout: 30_000 });
  await row.getByText('High').waitFor();
  await acknowledge(page, 'Supply air is too warm', 'Test of the heating coil');
  await row.getByText('Active, acknowledged').waitFor();
  await row.getByText(/anna, .*: Test of the heating coil/).waitFor();
});

/** Pixels of the chart that have colour: the line, not axes or grid, which are grey. */
const colouredPixels = (target) =>
  target.evaluate((canvas) => {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let coloured = 0;
    for (let i = 0; i < data.length; i += 4) {
      const spread =
        Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]);
      if (data[i + 3] > 100 && spread > 40) coloured += 1;
    }
    return coloured;
  });

test('the trend is drawn, reads out by key, and is a table too', async () => {
  await visit(page, '/points/ahu-1/supply_temp?range=15m', 'Supply air temperature');
  const chart = page.getByRole('slider', { name: /Trend of Supply air temperature/ });
  await until('a line is drawn', async () => (await colouredPixels(chart.locator('canvas'))) > 60);
  await chart.focus();
  await page.keyboard.press('Home');
  const first = await chart.getAttribute('aria-valuetext');
  assert.match(first, /°C/);
  await page.keyboard.press('End');
  assert.notEqual(await chart.getAttribute('aria-valuetext'), first);
  await page.getByRole('button', { name: 'Show as table' }).click();
  await until('the table has rows', async () => (await page.getByRole('row').count()) > 3);
});

test('the export has the columns of the format and the values of the point', async () => {
  await visit(page, '/points/ahu-1/supply_setpoint?range=15m', 'Supply air setpoint');
  await page.getByRole('slider', { name: /Trend of/ }).waitFor();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Export samples as CSV' }).click(),
  ]);
  assert.match(download.suggestedFilename(), /ahu-1.supply_setpoint.*\.csv$/);
  const { columns, rows } = readCsv(await readFile(await download.path(), 'utf8'));
  assert.deepEqual(columns, ['at', 'time', 'value', 'quality', 'reason']);
  assert.ok(rows.length > 5, `${rows.length} rows`);
  assert.ok(rows.every(([at, time]) => Date.parse(time) === Number(at)));
  assert.ok(rows.every((row, i) => i === 0 || Number(row[0]) > Number(rows[i - 1][0])));
  assert.ok(rows.every((row) => row[3] === 'good'));
  const values = [...new Set(rows.map((row) => Number(row[2])))];
  assert.deepEqual(values, [18, 25.5]);
});

test('after five wrong passwords the wait is counted down', async () => {
  const other = await it.local();
  await other.goto('/');
  for (let i = 0; i < 6; i += 1) {
    await logInLocally(other, { user: OWNER.user, password: `wrong ${i}` });
    await other.getByRole('alert').waitFor();
    await until('the field is empty again', async () => {
      return (await other.getByLabel('Password', { exact: true }).inputValue()) === '';
    });
  }
  await other
    .getByRole('timer')
    .getByText(/The next try is possible in/)
    .waitFor();
  assert.equal(await other.getByRole('button', { name: 'Log in' }).isDisabled(), true);
});

it.conclude();
