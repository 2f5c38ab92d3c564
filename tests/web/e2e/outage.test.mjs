// What the two UIs say and still do while the cloud, the gateway or the wire between is away.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mark, wasReloaded } from './support/browser.mjs';
import { scene } from './support/scene.mjs';
import {
  acknowledge,
  alarmRow,
  ALL_ANSWER,
  claim,
  cloudHop,
  linkBecomes,
  logInToCloud,
  NONE_ANSWERS,
  secondsOld,
  valueBecomes,
  valueChanges,
  visit,
  writeApplied,
} from './support/steps.mjs';
import { until } from './support/until.mjs';

/** A broken connection is told at once; two seconds are for the page. */
const TOLD_AT_ONCE_MS = 5000;
/** Every 10 s a heartbeat, which must be back within 30 s (`Timings` of the link). */
const TOLD_BY_HEARTBEAT_MS = 45_000;
/** Four units in turn behind one lane, each given up after three time-outs; then a probe every 10 s. */
const FIELD_MS = 45_000;
/** The longest wait before a retry is 60 s; then the backlog has to go. */
const BACK_WITHIN_MS = 75_000;

const it = scene();
let local;
let second;
let cloud;

const chain = (page) => page.getByRole('list', { name: 'The way of a value' });

/** The age the banner gives of what is shown, in seconds; 0 without a banner. */
async function bannerAge(page) {
  const banner = page.getByRole('status').filter({ hasText: 'No connection to' });
  if ((await banner.count()) === 0) return 0;
  return Number(/is (\d+)\s*s old/.exec(await banner.innerText())?.[1] ?? 0);
}

test('both UIs are open on a live building', async () => {
  local = await it.local();
  await claim(local, it.building);
  await linkBecomes(local, 'Live', 20_000);
  second = await local.context().newPage();
  await visit(second, '/points/ahu-1/duct_pressure', 'Supply duct pressure');
  cloud = await it.cloud();
  await cloud.goto('/gateways/gw-001/points/ahu-1/duct_pressure');
  await logInToCloud(cloud, it.building);
  await cloud.getByRole('heading', { name: 'Supply duct pressure', level: 1 }).waitFor();
  await valueChanges(cloud, 1);
  for (const page of [local, second, cloud]) await mark(page);
});

test('a dead cloud is told on the gateway at once', async () => {
  await it.building.kill('riser-cloud');
  await cloudHop(local)
    .getByText(/^(Offline|Connecting)$/)
    .waitFor({ timeout: TOLD_AT_ONCE_MS });
});

test('without a cloud values change, setpoints are written, alarms are raised and taken', async () => {
  await valueChanges(second, 3);
  const page = await local.context().newPage();
  await visit(page, '/points/ahu-1/supply_setpoint', 'Supply air setpoint');
  await writeApplied(page, 25.9, { hold: '15 minutes' });
  await valueBecomes(page, '25.9', (now) => now === 25.9);
  await page.getByRole('link', { name: /^Alarms/ }).click();
  const alarm = 'Supply air is too warm';
  await alarmRow(page, alarm).getByText('Active, not acknowledged').waitFor({ timeout: 30_000 });
  await acknowledge(page, alarm, 'The cloud is away');
  await alarmRow(page, alarm)
    .getByText(/anna, .*: The cloud is away/)
    .waitFor();
  await page.close();
  const told = await cloudHop(local).innerText();
  assert.match(told, /Offline|Connecting/);
  assert.match(told, /\d+ batch(es)? \(.*\) wait here/);
});

test('the open dashboard says that it is offline, and how old it is, counting on', async () => {
  const first = await until('the banner stands', () => bannerAge(cloud));
  await until('it counts on', async () => (await bannerAge(cloud)) >= first + 3);
  await until('the age of the value counts on', async () => (await secondsOld(cloud)) >= first + 3);
});

test('when the cloud is back both UIs follow without a reload, and what was done arrives', async () => {
  it.building.restart('riser-cloud');
  await linkBecomes(local, 'Live', BACK_WITHIN_MS);
  await cloud.getByText(/No connection to/).waitFor({ state: 'detached', timeout: 30_000 });
  await valueChanges(cloud, 2);
  assert.equal(await wasReloaded(cloud), false);
  assert.equal(await wasReloaded(local), false);
  await cloud.getByRole('link', { name: /^Alarms/ }).click();
  await alarmRow(cloud, 'Supply air is too warm')
    .getByText(/anna, .*: The cloud is away/)
    .waitFor();
});

test('a silent field is told on the open overview, and so is its return', async () => {
  // The cloud falls silent too; its turn is next, and its heartbeat takes longer.
  it.building.freeze('riser-cloud');
  it.building.freeze('riser-sim');
  // Of Zigbee devices nobody knows whether they are there while their bridge is away, so not all are offline.
  await chain(local).getByText(NONE_ANSWERS).waitFor({ timeout: FIELD_MS });
  it.building.thaw('riser-sim');
  await chain(local).getByText(ALL_ANSWER).waitFor({ timeout: FIELD_MS });
  await valueChanges(second, 1);
});

test('a cloud that holds the connection and confirms nothing is not called live', async () => {
  await cloudHop(local)
    .getByText(/^(Not confirmed|Offline)$/)
    .waitFor({ timeout: TOLD_BY_HEARTBEAT_MS });
  it.building.thaw('riser-cloud');
  await linkBecomes(local, 'Live', BACK_WITHIN_MS);
  assert.equal(await wasReloaded(local), false);
});

test('a dead gateway is told on its open page, whose values age', async () => {
  await visit(cloud, '/', 'Gateways');
  await it.building.kill('riserd');
  const first = await until('the banner stands', () => bannerAge(second));
  await until('it counts on', async () => (await bannerAge(second)) >= first + 3);
  await until('the age of the value counts on', async () => (await secondsOld(second)) >= first + 3);
});

test('the dashboard tells that the gateway is away', async () => {
  const row = cloud.getByRole('row').filter({ hasText: 'Demo building' });
  await row.getByText('Offline', { exact: true }).waitFor();
  await row.getByText(/last heard/).waitFor();
  await cloud.getByText('0 of 1 connected').waitFor();
});

test('when the gateway is back its page follows without a reload, still logged in', async () => {
  it.building.restart('riserd');
  await second.getByText(/No connection to/).waitFor({ state: 'detached', timeout: 30_000 });
  await valueChanges(second, 2);
  assert.equal(await wasReloaded(second), false);
  await linkBecomes(local, 'Live', 30_000);
  await cloud.getByText('1 of 1 connected').waitFor();
});

test('a page that is opened while nothing answers says so, and goes on when something does', async () => {
  await visit(second, '/', 'Home');
  await second.route('**/api/v1/**', (route) => route.abort());
  await second.getByRole('link', { name: 'Devices', exact: true }).first().click();
  await second.getByRole('heading', { name: 'Devices', level: 1 }).waitFor();
  await second
    .getByText(/The gateway does not answer/)
    .first()
    .waitFor({ timeout: 20_000 });
  await second.unroute('**/api/v1/**');
  await second.getByRole('button', { name: /again/i }).first().click();
  await second.getByRole('table').getByText('Air handling unit 1').waitFor();
});

it.conclude();
