// Batches in quarantine on both UIs: two that wait on the disk of a gateway are damaged while it is down, one
// so that only the cloud finds out. Each is shown where it was found, with its reason and its octets.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { PHONE } from './support/browser.mjs';
import { scrollsSideways, violations } from './support/access.mjs';
import { poison } from './support/poison.mjs';
import { scene } from './support/scene.mjs';
import { claim, cloudHop, linkBecomes, logInToCloud, visit } from './support/steps.mjs';
import { until } from './support/until.mjs';

const it = scene();
let local;
let cloud;

const panel = (page) => page.getByRole('region', { name: 'Quarantine' });
const batches = (page) => page.getByRole('table', { name: 'Batches in quarantine' }).getByRole('row');
const CHECKSUM = /Checksum is .*: the frame is damaged/;

const served = (url) =>
  until(
    `${url} is served again`,
    () =>
      fetch(url).then(
        (r) => r.ok,
        () => false,
      ),
    30_000,
  );

test('without anything in quarantine neither UI speaks of it', async () => {
  [local, cloud] = [await it.local(), await it.cloud()];
  await claim(local, it.building);
  await linkBecomes(local, 'Live', 20_000);
  await visit(local, '/completeness', 'Completeness');
  await local.getByText('Every one is accounted for.').waitFor();
  assert.equal(await panel(local).count(), 0);
  await cloud.goto('/gateways/gw-001');
  await logInToCloud(cloud, it.building);
  await cloud.getByRole('heading', { name: 'Completeness, last 30 days' }).waitFor();
  assert.equal(await panel(cloud).count(), 0);
});

test('the gateway shows both batches that were damaged, each with its reason and samples', async () => {
  const { building } = it;
  await building.kill('riser-cloud');
  await visit(local, '/', 'Home');
  await cloudHop(local)
    .getByText(/[3-9] batches \(.*\) wait here/)
    .waitFor({ timeout: 60_000 });
  await building.kill('riserd');
  poison(building.path('gateway'));
  building.restart('riser-cloud');
  building.restart('riserd');
  await served(building.local.url);
  await visit(local, '/completeness', 'Completeness');
  await panel(local).getByText('2 batches', { exact: true }).waitFor({ timeout: 75_000 });
  await batches(local).getByText(CHECKSUM).waitFor();
  await until('both are listed', async () => (await batches(local).count()) === 3);
  for (const row of (await batches(local).all()).slice(1))
    assert.match(await row.innerText(), /data \d+\s+\d+\s/);
});

test('the cloud shows the one that only it could find, with another reason', async () => {
  await served(it.building.cloud.url);
  await visit(cloud, '/gateways/gw-001', 'Demo building');
  await panel(cloud).getByText('1 batch', { exact: true }).waitFor({ timeout: 75_000 });
  const [, row] = await batches(cloud).all();
  const text = await row.innerText();
  assert.match(text, /data \d+/);
  assert.doesNotMatch(text, CHECKSUM);
  assert.equal(await cloud.getByRole('columnheader', { name: 'Samples' }).count(), 0);
});

test('the octets of a batch are taken away, the same on both', async () => {
  const label = await panel(cloud)
    .getByLabel(/^Take away/)
    .first()
    .getAttribute('aria-label');
  const take = async (page) => {
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      panel(page).getByLabel(label, { exact: true }).click(),
    ]);
    return readFile(await download.path());
  };
  const [there, here] = [await take(cloud), await take(local)];
  assert.equal(there.subarray(0, 2).toString(), 'RF');
  assert.deepEqual(there, here);
});

test('everything else flows on', async () => {
  await visit(local, '/', 'Home');
  await linkBecomes(local, 'Live', 75_000);
});

test('quarantine fits a phone and assistive technology', async () => {
  await visit(local, '/completeness', 'Completeness');
  for (const page of [local, cloud]) {
    await panel(page).waitFor();
    for (const scheme of ['light', 'dark']) assert.deepEqual(await violations(page, scheme), []);
    await page.setViewportSize(PHONE);
    await page.getByRole('list', { name: 'Batches in quarantine' }).waitFor();
    assert.equal(await scrollsSideways(page), false);
    const box = await panel(page)
      .getByLabel(/^Take away/)
      .first()
      .boundingBox();
    assert.ok(box.height >= 44, `${box.height} px high`);
  }
});

it.conclude();
