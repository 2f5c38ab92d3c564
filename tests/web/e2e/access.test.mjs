// Both UIs for everyone: assistive technology, both themes, a phone's width.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DESK, PHONE } from './support/browser.mjs';
import { scrollsSideways, violations } from './support/access.mjs';
import { scene } from './support/scene.mjs';
import { claim, fillWrite, logInToCloud, visit, writeApplied } from './support/steps.mjs';

const it = scene();
let local;
let cloud;
const ADMIN = { email: 'admin@demo.example', password: 'admin battery horse' };

/** Judges the page as it stands: desk light and dark, phone light, phone's width. */
async function judge(page, name) {
  const found = [];
  const look = async (size, colorScheme) => {
    for (const line of await violations(page, colorScheme))
      found.push(`${name}, ${size}, ${colorScheme}: ${line}`);
  };
  await look('desk', 'light');
  await look('desk', 'dark');
  await page.setViewportSize(PHONE);
  await look('phone', 'light');
  if (await scrollsSideways(page)) found.push(`${name}: scrolls sideways on a phone`);
  await page.setViewportSize(DESK);
  assert.equal(found.length, 0, `\n${found.join('\n')}`);
}

test('the pages before a session', async () => {
  local = await it.local();
  await local.goto('/');
  await local.getByRole('heading', { name: 'Claim this gateway' }).waitFor();
  await judge(local, 'claim');
  const other = await it.cloud();
  await other.goto('/');
  await other.getByRole('heading', { name: 'Log in' }).waitFor();
  await judge(other, 'dashboard log-in');
  await logInToCloud(other, it.building, 'not this one');
  await other.getByRole('alert').waitFor();
  await judge(other, 'dashboard log-in, refused');
  await claim(local, it.building);
  const stranger = await it.local();
  await stranger.goto('/');
  await stranger.getByRole('button', { name: 'Log in' }).waitFor();
  await judge(stranger, 'log-in');
});

const LOCAL_PAGES = [
  ['/', 'Home'],
  ['/points', 'Points'],
  ['/points?search=nothing', 'Points'],
  ['/points/ahu-1/supply_temp', 'Supply air temperature'],
  ['/points/ahu-1/humidifier', 'Humidifier output'],
  ['/devices', 'Devices'],
  ['/devices/ahu-1', 'Air handling unit 1'],
  ['/devices/none', 'none'],
  ['/add', 'Add devices'],
  ['/add?protocol=modbus', 'Add devices'],
  ['/adapters/plant', 'plant'],
  ['/adapters/none', 'none'],
  ['/alarms', 'Alarms'],
  ['/alarms?state=all', 'Alarms'],
  ['/settings', 'Settings'],
  ['/completeness', 'Completeness'],
  ['/completeness?by=day', 'Completeness'],
  ['/configuration', 'Configuration'],
  ['/audit', 'Audit log'],
  ['/audit?search=nobody', 'Audit log'],
  ['/nowhere', /./],
];

for (const [path, title] of LOCAL_PAGES) {
  test(`the gateway's page ${path}`, async () => {
    await visit(local, path, title);
    await local.waitForLoadState('networkidle').catch(() => undefined);
    await judge(local, path);
  });
}

test('the dialogs of the gateway: write, its outcome, why, acknowledge, search', async () => {
  await visit(local, '/points/ahu-1/supply_setpoint', 'Supply air setpoint');
  const dialog = await fillWrite(local, 25);
  await judge(local, 'write');
  await dialog.getByRole('button', { name: /^Write / }).click();
  await dialog.getByText('Applied', { exact: true }).waitFor();
  await judge(local, 'write, applied');
  await dialog.getByRole('button', { name: 'Done' }).click();
  await dialog.waitFor({ state: 'detached' });
  await judge(local, 'point, written');
  await visit(local, '/points?search=setpoint', 'Points');
  await local
    .getByRole('button', { name: /explain/ })
    .first()
    .click();
  await local.getByRole('dialog').getByText('Who holds it').waitFor();
  await judge(local, 'why');
  await visit(local, '/alarms', 'Alarms');
  await local
    .getByRole('button', { name: /^Acknowledge/ })
    .first()
    .click();
  await local.getByRole('dialog').getByLabel('Comment').waitFor();
  await judge(local, 'acknowledge');
  await visit(local, '/', 'Home');
  await local.keyboard.press('/');
  await local.getByRole('option').first().waitFor();
  await judge(local, 'search');
});

const CLOUD_PAGES = [
  ['/', 'Gateways'],
  ['/gateways/gw-001', 'Demo building'],
  ['/gateways/gw-404', 'gw-404'],
  ['/points', 'Points'],
  ['/gateways/gw-001/points/ahu-1/supply_setpoint', 'Supply air setpoint'],
  ['/gateways/gw-001/configuration', 'Configuration'],
  ['/gateways/gw-001/audit', 'Audit log'],
  ['/alarms', 'Alarms'],
  ['/account', 'Account'],
  ['/nowhere', /./],
];
/** What an operator may not see stands there with who may; an administrator sees it. */
const ADMINISTERED = CLOUD_PAGES.filter(([path]) => /configuration|audit/.test(path));

test('the dashboard lets the operator in', async () => {
  cloud = await it.cloud();
  await cloud.goto('/gateways/gw-001/points/ahu-1/supply_setpoint');
  await logInToCloud(cloud, it.building);
  await cloud.getByRole('heading', { name: 'Supply air setpoint', level: 1 }).waitFor();
  await writeApplied(cloud, 24.5);
});

for (const [path, title] of CLOUD_PAGES) {
  test(`the dashboard's page ${path}`, async () => {
    await visit(cloud, path, title);
    await cloud.waitForLoadState('networkidle').catch(() => undefined);
    await judge(cloud, path);
  });
}

test('the pages of the dashboard for administrators', async () => {
  it.building.addUser(ADMIN, 'tenant_admin');
  const admin = await it.cloud();
  await admin.goto('/');
  await admin.getByLabel('E-mail').fill(ADMIN.email);
  await admin.getByLabel('Password', { exact: true }).fill(ADMIN.password);
  await admin.getByRole('button', { name: 'Log in' }).click();
  await admin.getByRole('heading', { name: 'Gateways', level: 1 }).waitFor();
  for (const [path, title] of ADMINISTERED) {
    await visit(admin, path, title);
    await admin.getByRole('table').waitFor();
    await judge(admin, `${path}, administrator`);
  }
});

it.conclude();
