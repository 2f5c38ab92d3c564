// A technician's day on a gateway that reaches nothing: claim, values, a write, an alarm, an export.
// Runs as a program inside a network of loopback only, which it proves first.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { openBrowser, openPage } from '../support/browser.mjs';
import { Building } from '../support/building.mjs';
import {
  acknowledge,
  alarmRow,
  claim,
  cloudHop,
  readCsv,
  valueChanges,
  visit,
  writeApplied,
} from '../support/steps.mjs';

/** Why a connection to an address that is never ours fails. */
const reach = (host) =>
  new Promise((resolve) => {
    const socket = connect({ host, port: 443 }, () => resolve('connected'));
    socket.on('error', (error) => resolve(error.code));
  });

assert.equal(await reach('192.0.2.1'), 'ENETUNREACH');

const browser = await openBrowser();
const building = await Building.start();
try {
  await building.kill('riser-cloud');
  const page = await openPage(browser, building.local.url);
  await claim(page, building);
  await cloudHop(page)
    .getByText(/^(Offline|Connecting)$/)
    .waitFor();
  await visit(page, '/points/ahu-1/duct_pressure', 'Supply duct pressure');
  await valueChanges(page, 2);
  await visit(page, '/points/ahu-1/supply_setpoint', 'Supply air setpoint');
  await writeApplied(page, 25.7, { hold: '15 minutes' });
  await visit(page, '/alarms', 'Alarms');
  const alarm = 'Supply air is too warm';
  await alarmRow(page, alarm).getByText('Active, not acknowledged').waitFor({ timeout: 30_000 });
  await acknowledge(page, alarm, 'Nobody else is here');
  await alarmRow(page, alarm)
    .getByText(/anna, .*: Nobody else is here/)
    .waitFor();
  await visit(page, '/points/ahu-1/supply_setpoint?range=15m', 'Supply air setpoint');
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Export samples as CSV' }).click(),
  ]);
  assert.ok(readCsv(await readFile(await download.path(), 'utf8')).rows.length > 3);
  await visit(page, '/devices', 'Devices');
  await visit(page, '/settings', 'Settings');
  assert.deepEqual(page.problems, []);
  console.log('journey complete');
} finally {
  await browser.close();
  await building.stop();
}
