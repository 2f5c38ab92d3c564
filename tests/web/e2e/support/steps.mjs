// What people do on the two UIs, in the words of the screens, and what they read there.
import assert from 'node:assert/strict';
import { until } from './until.mjs';

/** The account the tests make on a gateway. */
export const OWNER = { user: 'anna', password: 'seven wet boots' };

/** What the first page says of the devices of every protocol. */
export const ALL_ANSWER = /^(\d+) of \1 devices answer\.$/;
export const NONE_ANSWERS = /^0 of \d+ devices answer\.$/;

export async function claim(page, building) {
  await page.goto('/');
  await page.getByRole('heading', { name: 'Claim this gateway' }).waitFor();
  await page.getByLabel('Claim code').fill(building.local.code);
  await page.getByLabel('User').fill(OWNER.user);
  await page.getByLabel('Password', { exact: true }).fill(OWNER.password);
  await page.getByLabel('Password again').fill(OWNER.password);
  await page.getByRole('button', { name: 'Claim and log in' }).click();
  await page.getByRole('heading', { name: 'Home', level: 1 }).waitFor();
}

export async function logInLocally(page, { user, password } = OWNER) {
  await page.getByLabel('User').fill(user);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
}

export async function logInToCloud(page, building, password = building.cloud.password) {
  await page.getByLabel('E-mail').fill(building.cloud.email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
}

/** Opens a page of the app by its path and waits for its title. */
export async function visit(page, path, title) {
  await page.goto(path);
  await page.getByRole('heading', { name: title, level: 1 }).waitFor();
}

const numberIn = (text) => Number.parseFloat(text.replace(/[\s\u2009\u202f]/g, '').replace('\u2212', '-'));

/** The large value of a point's page, as a number. */
export async function presentValue(page) {
  return numberIn(await page.locator('main [title^="as of"]').first().innerText());
}

/** Waits until the large value satisfies `wanted`; answers it. */
export async function valueBecomes(page, what, wanted, ms) {
  let seen;
  await until(
    `the value is ${what}`,
    async () => {
      seen = await presentValue(page);
      return wanted(seen);
    },
    ms,
  ).catch((reason) => {
    throw new Error(`${reason.message}; it is ${seen}`);
  });
  return seen;
}

/** Sees the large value change `times` without the page being touched. */
export async function valueChanges(page, times = 2, ms = 15_000) {
  for (let i = 0; i < times; i += 1) {
    const before = await presentValue(page);
    await valueBecomes(page, `no longer ${before}`, (now) => Number.isFinite(now) && now !== before, ms);
  }
}

/** Opens the dialog of the point whose page is open and fills it in. */
export async function fillWrite(page, value, { priority, hold } = {}) {
  await page.getByRole('button', { name: 'Write', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('New value').fill(String(value));
  if (hold) await dialog.getByLabel('Hold').selectOption(hold);
  if (priority) await dialog.getByLabel('Priority').selectOption(String(priority));
  return dialog;
}

/** Writes the point whose page is open; answers the dialog, which shows the steps. */
export async function write(page, value, options) {
  const dialog = await fillWrite(page, value, options);
  await dialog.getByRole('button', { name: /^Write / }).click();
  return dialog;
}

/** Writes and waits for the outcome that names the device's own report. */
export async function writeApplied(page, value, options) {
  const dialog = await write(page, value, options);
  await dialog.getByText('Applied', { exact: true }).waitFor();
  const report = await dialog.getByText(/The device reports/).innerText();
  assert.equal(numberIn(report.replace('The device reports', '')), value);
  await dialog.getByRole('button', { name: 'Done' }).click();
  await dialog.waitFor({ state: 'detached' });
}

/** The row of an alarm on the page of alarms. */
export const alarmRow = (page, message) => page.getByRole('row').filter({ hasText: message });

/** Takes an alarm that the page of alarms shows. */
export async function acknowledge(page, message, comment) {
  await alarmRow(page, message).getByRole('button', { name: 'Acknowledge' }).click();
  const dialog = page.getByRole('dialog', { name: 'Acknowledge alarm' });
  await dialog.getByLabel('Comment').fill(comment);
  await dialog.getByRole('button', { name: 'Acknowledge', exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
}

/** The hop of the page Home that tells of the cloud. */
export const cloudHop = (page) =>
  page.getByRole('list', { name: 'The way of a value' }).getByRole('listitem').filter({ hasText: 'Cloud' });

/** Waits until the gateway's UI says this of its link. */
export async function linkBecomes(page, word, ms) {
  await cloudHop(page).getByText(word, { exact: true }).waitFor({ timeout: ms });
}

/** Lines of a downloaded export: the columns, and one array per sample. */
export function readCsv(text) {
  const [head, ...lines] = text.trimEnd().split(/\r?\n/);
  return { columns: head.split(','), rows: lines.map((line) => line.split(',')) };
}

const UNITS = { s: 1, min: 60, h: 3600 };

/** The age that stands by the large value of a point's page, in seconds. */
export async function secondsOld(page) {
  const text = await page.locator('main time').first().innerText();
  const [, number, unit] = /(\d+)\s*(s|min|h)\b/.exec(text) ?? [];
  return number ? Number(number) * UNITS[unit] : 0;
}
