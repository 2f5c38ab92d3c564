// The audit log and the completeness on both UIs: what is done is there, filtered, opened and taken away;
// what somebody writes into the file of a stopped gateway is shown until it is acknowledged.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { PHONE } from './support/browser.mjs';
import { scrollsSideways, violations } from './support/access.mjs';
import { scene } from './support/scene.mjs';
import { claim, visit } from './support/steps.mjs';
import { until } from './support/until.mjs';

const it = scene();
const ADMIN = { email: 'admin@demo.example', password: 'admin battery horse' };
let local;
let cloud;

test('a gateway is claimed, an administrator logs in to the cloud', async () => {
  it.building.addUser(ADMIN, 'tenant_admin');
  local = await it.local();
  await claim(local, it.building);
  cloud = await it.cloud();
  await cloud.goto('/');
  await cloud.getByLabel('E-mail').fill(ADMIN.email);
  await cloud.getByLabel('Password', { exact: true }).fill(ADMIN.password);
  await cloud.getByRole('button', { name: 'Log in' }).click();
  await cloud.getByRole('heading', { name: 'Gateways', level: 1 }).waitFor();
});

const PAGES = [
  ['the gateway', () => local, '/audit'],
  ['the dashboard', () => cloud, '/gateways/gw-001/audit'],
];

for (const [where, page, path] of PAGES) {
  test(`on ${where}, who did what is found, opened and taken away`, async () => {
    const on = page();
    await visit(on, path, 'Audit log');
    const table = on.getByRole('table', { name: /Audit log/ });
    const claimed = table.getByRole('row').filter({ hasText: 'Claimed this gateway' });
    await claimed.getByText('127.0.0.1').waitFor();
    await on.getByText('Whole', { exact: true }).waitFor();

    await on.getByLabel('Action').selectOption('claim');
    await table.getByRole('row').nth(2).waitFor({ state: 'detached' });
    assert.match(on.url(), /action=claim/);
    await claimed.getByRole('button', { name: /Claimed/ }).click();
    await claimed.getByText('Hash').waitFor();
    const [download] = await Promise.all([
      on.waitForEvent('download'),
      on.getByText('Export as CSV').click(),
    ]);
    const csv = await readFile(await download.path(), 'utf8');
    const [head, ...rows] = csv.trim().split('\r\n');
    assert.match(head, /^no,at,time,actor,source,action,object,detail,chain,previous,hash$/);
    assert.equal(rows.length, 1, csv);
    assert.match(rows[0], /,anna,127\.0\.0\.1,claim,/);

    await on.getByLabel('Action').selectOption('');
    await on.getByLabel('Search the audit log').fill('nobody did this');
    await on.getByText('No entry matches').waitFor();
    await on.getByRole('button', { name: 'Show all entries' }).click();
    await claimed.waitFor();
  });

  test(`on ${where}, the audit log fits a phone and assistive technology`, async () => {
    const on = page();
    for (const colorScheme of ['light', 'dark']) assert.deepEqual(await violations(on, colorScheme), []);
    await on.setViewportSize(PHONE);
    await on.getByRole('list', { name: /Audit log/ }).waitFor();
    assert.equal(await scrollsSideways(on), false);
    await on.setViewportSize({ width: 1440, height: 900 });
  });
}

test('completeness adds up on the gateway, and says so', async () => {
  await visit(local, '/completeness', 'Completeness');
  await local.getByText('Every one is accounted for.').waitFor();
  const rows = local.getByRole('table', { name: 'Loss ledger' }).getByRole('row');
  await rows.nth(4).waitFor();
  await visit(cloud, '/gateways/gw-001', 'Demo building');
  await cloud.getByRole('heading', { name: 'Completeness, last 30 days' }).waitFor();
});

test('an entry somebody changed is shown on both, and acknowledged on each', async () => {
  const { building } = it;
  await building.kill('riserd');
  execFileSync('sqlite3', [
    building.path('gateway/state.db'),
    "DROP TRIGGER audit_not_changed; UPDATE audit SET actor = 'mallory' WHERE action = 'claim';",
  ]);
  building.restart('riserd');
  await until(
    'the gateway serves again',
    () =>
      fetch(building.local.url).then(
        (r) => r.ok,
        () => false,
      ),
    30_000,
  );
  for (const [, page, path] of PAGES) {
    const on = page();
    await visit(on, path, 'Audit log');
    await on.getByText('Broken', { exact: true }).waitFor({ timeout: 60_000 });
    await on
      .getByText(/was changed: its hash is not that of its contents/)
      .first()
      .waitFor();
    await on.getByRole('button', { name: 'Acknowledge…' }).click();
    const dialog = on.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Acknowledge' }).click();
    await dialog.getByLabel('What is known of it').fill('a test of ours');
    await dialog.getByRole('button', { name: 'Acknowledge' }).click();
    await on.getByText('Whole but for what is acknowledged').waitFor();
    await on.getByText(/acknowledged by .*a test of ours/).waitFor();
  }
  await visit(cloud, '/alarms?state=all', 'Alarms');
  const link = cloud.getByRole('link', { name: 'riser-cloud/audit' }).first();
  assert.equal(await link.getAttribute('href'), '/gateways/gw-001/audit');
});

it.conclude();
