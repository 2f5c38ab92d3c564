// The dashboard on a real cloud with a real gateway below it, and the gateway's own UI beside it.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { mark, wasReloaded } from './support/browser.mjs';
import { scene } from './support/scene.mjs';
import {
  acknowledge,
  alarmRow,
  claim,
  logInToCloud,
  presentValue,
  readCsv,
  valueBecomes,
  valueChanges,
  visit,
  writeApplied,
} from './support/steps.mjs';
import { until } from './support/until.mjs';

/** From the start of the processes to a live value on both screens. */
const LIVE_WITHIN_MS = 10_000;
const ON_DASHBOARD = '/gateways/gw-001/points';

const it = scene();
let local;
let cloud;

test('both UIs show a live value within ten seconds of the start', async () => {
  [local, cloud] = [await it.local(), await it.cloud()];
  const onGateway = async () => {
    await claim(local, it.building);
    await visit(local, '/points/ahu-1/duct_pressure', 'Supply duct pressure');
    await valueChanges(local, 1);
  };
  const inCloud = async () => {
    await cloud.goto(`${ON_DASHBOARD}/ahu-1/duct_pressure`);
    await logInToCloud(cloud, it.building);
    await cloud.getByRole('heading', { name: 'Supply duct pressure', level: 1 }).waitFor();
    await valueChanges(cloud, 1);
  };
  await Promise.all([onGateway(), inCloud()]);
  const took = Date.now() - it.building.startedAt;
  assert.ok(took <= LIVE_WITHIN_MS, `it took ${took} ms`);
});

test('a wrong password is told', async () => {
  const other = await it.cloud();
  await other.goto('/');
  await logInToCloud(other, it.building, 'not this one');
  assert.match(await other.getByRole('alert').innerText(), /password/i);
});

test('the gateway is listed as live, with lag and version', async () => {
  await visit(cloud, '/', 'Gateways');
  await cloud.getByText('1 of 1 connected').waitFor();
  const row = cloud.getByRole('row').filter({ hasText: 'Demo building' });
  await row.getByText('Live', { exact: true }).waitFor({ timeout: 30_000 });
  assert.match(await row.innerText(), /\b0\.1\.0\b/);
  await row.getByRole('link', { name: /Demo building/ }).click();
  await cloud.getByRole('heading', { name: 'Connection' }).waitFor();
  assert.match(await cloud.getByText(/^Heartbeat .*everything it stored has arrived/).innerText(), /ago|now/);
});

test('values change on the dashboard without a reload', async () => {
  await visit(cloud, `${ON_DASHBOARD}/ahu-1/duct_pressure`, 'Supply duct pressure');
  await mark(cloud);
  await valueChanges(cloud, 3);
  assert.equal(await wasReloaded(cloud), false);
});

test('a setpoint written on the dashboard reaches the device; both UIs show it and its outcome', async () => {
  await visit(local, '/points/ahu-1/supply_setpoint', 'Supply air setpoint');
  await valueBecomes(local, '18', (now) => now === 18);
  await mark(local);
  await visit(cloud, `${ON_DASHBOARD}/ahu-1/supply_setpoint`, 'Supply air setpoint');
  await writeApplied(cloud, 25.8, { hold: '15 minutes' });
  await valueBecomes(cloud, '25.8', (now) => now === 25.8);
  await valueBecomes(local, '25.8', (now) => now === 25.8);
  const from = new RegExp(`at priority 8, manual operator by .*\\(from the cloud\\)`);
  await local.getByRole('listitem').filter({ hasText: from }).getByText('Applied').waitFor();
  await cloud.getByRole('listitem').filter({ hasText: 'at priority 8' }).getByText('Applied').waitFor();
  assert.equal(await wasReloaded(local), false);
});

test('a state is written from the dashboard, and the device reports its name', async () => {
  await visit(cloud, `${ON_DASHBOARD}/ahu-1/fan_mode`, 'Fan mode');
  await cloud.getByRole('button', { name: 'Write', exact: true }).click();
  const dialog = cloud.getByRole('dialog');
  await dialog.getByRole('radio', { name: 'High' }).click();
  await dialog.getByRole('button', { name: 'Write High' }).click();
  await dialog.getByText('The device reports High.').waitFor();
  await dialog.getByRole('button', { name: 'Done' }).click();
});

test('an alarm taken on the dashboard is taken on the gateway', async () => {
  const alarm = 'Zone 3 is warmer than wanted';
  await visit(local, '/alarms', 'Alarms');
  await visit(cloud, '/alarms', 'Alarms');
  await acknowledge(cloud, alarm, 'Blinds are being closed');
  await alarmRow(cloud, alarm)
    .getByText(/, acknowledged|Over/)
    .waitFor();
  await alarmRow(local, alarm)
    .getByText(/from the cloud.*: Blinds are being closed/)
    .waitFor();
});

test('an alarm taken on the gateway is taken on the dashboard', async () => {
  const alarm = 'Supply air is too warm';
  await alarmRow(cloud, alarm)
    .getByText(/not acknowledged/)
    .waitFor({ timeout: 30_000 });
  await acknowledge(local, alarm, 'I am at the unit');
  await alarmRow(cloud, alarm)
    .getByText(/anna, .*: I am at the unit/)
    .waitFor();
});

test('points are found on the dashboard, and the search opens one', async () => {
  await visit(cloud, '/points', 'Points');
  await cloud.getByLabel('Search points by name or path').fill('room temp');
  const table = cloud.getByRole('table');
  const rows = table.getByRole('row').filter({ hasText: '/' });
  const rooms = rows.filter({ hasText: /vav-\d/ });
  await until('the four rooms are listed', async () => (await rooms.count()) === 4);
  for (const row of await rows.allInnerTexts()) assert.match(row, /room/i);
  assert.match(cloud.url(), /search=room\+temp/);
  await cloud.keyboard.press('Escape');
  await cloud.getByRole('button', { name: 'Search' }).first().click();
  await cloud.getByRole('combobox', { name: /^Search/ }).fill('meter-1/power_l1');
  await cloud.getByRole('option', { name: /Active power L1/ }).click();
  await cloud.getByRole('heading', { name: 'Active power L1', level: 1 }).waitFor();
});

test("the dashboard's export has the same columns and the values that were there", async () => {
  await visit(cloud, `${ON_DASHBOARD}/ahu-1/supply_setpoint?range=15m`, 'Supply air setpoint');
  await cloud.getByRole('slider', { name: /Trend of/ }).waitFor();
  const [download] = await Promise.all([
    cloud.waitForEvent('download'),
    cloud.getByRole('button', { name: 'Export samples as CSV' }).click(),
  ]);
  const { columns, rows } = readCsv(await readFile(await download.path(), 'utf8'));
  assert.deepEqual(columns, ['at', 'time', 'value', 'quality', 'reason']);
  assert.ok(rows.every((row, i) => i === 0 || Number(row[0]) > Number(rows[i - 1][0])));
  assert.deepEqual([...new Set(rows.map((row) => Number(row[2])))], [18, 25.8]);
});

test('a session outlives a reload and ends with the log-out', async () => {
  await cloud.reload();
  await cloud.getByRole('heading', { name: 'Supply air setpoint', level: 1 }).waitFor();
  assert.equal(await presentValue(cloud), 25.8);
  await visit(cloud, '/account', 'Account');
  await cloud.getByRole('button', { name: 'Log out' }).click();
  await cloud.getByRole('button', { name: 'Log in' }).waitFor();
  await cloud.reload();
  await cloud.getByRole('button', { name: 'Log in' }).waitFor();
});

it.conclude();
