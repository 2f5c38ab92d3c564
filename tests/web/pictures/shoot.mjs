// Takes a picture of every page at the sizes of a phone and a desk, light and dark, of the real demo.
// usage: npm run pictures -- [--out FOLDER] [--only PART_OF_A_NAME,…] [--minutes 2]
// `--minutes`: how long the building lives before, which is how much the trends have to show.
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { DESK, openBrowser, openPage, PHONE } from '../e2e/support/browser.mjs';
import { Building } from '../e2e/support/building.mjs';
import { scrollsSideways } from '../e2e/support/access.mjs';
import { poison } from '../e2e/support/poison.mjs';
import {
  ALL_ANSWER,
  claim,
  cloudHop,
  linkBecomes,
  logInToCloud,
  NONE_ANSWERS,
  visit,
  writeApplied,
} from '../e2e/support/steps.mjs';
import {
  LOGGED_OUT,
  NO_CLOUD,
  NO_GATEWAY,
  NORMAL,
  ON_TRIAL,
  QUARANTINE,
  SILENT_FIELD,
  UNCLAIMED,
} from './shots.mjs';

const { values: chosen } = parseArgs({
  options: {
    out: { type: 'string', default: 'test-results/pictures' },
    only: { type: 'string', default: '' },
    minutes: { type: 'string', default: '2' },
  },
});
const wanted = chosen.only.split(',');
const ADMIN = { email: 'admin@demo.example', password: 'admin battery horse' };
const SIZES = { desk: DESK, phone: PHONE };
let failed = 0;

function report(name, problems) {
  failed += problems.length;
  process.stdout.write(`${problems.length ? 'PROBLEM' : 'ok'} ${name} ${problems.join(' | ')}\n`);
}

/** What a page has once it is past the gate; the gates have a form. */
const DRAWN = '#content h1, form';

/** Waits until nothing loads and nothing moves. */
async function still(page) {
  await page.locator(DRAWN).first().waitFor();
  await page.waitForFunction(() => !document.querySelector('[class*="bone" i]'));
  await page.evaluate(async () => {
    await document.fonts.ready;
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
    const ending = document.getAnimations().filter((a) => a.effect?.getTiming().iterations !== Infinity);
    await Promise.allSettled(ending.map((a) => a.finished));
  });
}

async function take(page, shot, size) {
  const problems = [];
  await page.setViewportSize(SIZES[size]);
  try {
    await page.goto(shot.path);
    await still(page);
    await shot.act?.(page);
  } catch (reason) {
    problems.push(String(reason).split('\n')[0]);
  }
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await still(page);
    await page.screenshot({ path: join(chosen.out, `${shot.name}-${size}-${colorScheme}.png`) });
  }
  if (await scrollsSideways(page)) problems.push('the page scrolls sideways');
  report(`${shot.name}-${size}`, [...problems, ...page.problems.splice(0)]);
}

const chosenOf = (shots) => shots.filter((s) => wanted.some((part) => s.name.includes(part)));
/** Whether any of these is wanted. */
const asked = (shots) => chosenOf(shots).length > 0;

/** Takes the pictures of a state of the building, each UI with its own page. */
async function shoot(shots, pages) {
  for (const shot of chosenOf(shots)) {
    const page = pages[shot.name.split('-')[0]];
    for (const size of Object.keys(SIZES)) await take(page, shot, size);
  }
}

/** Something to see: a setpoint moved by a person and from the cloud, at last so far that an alarm is raised. */
async function live(local, cloud, minutes) {
  const wave = [19.5, 21, 20, 22.5, 18.5, 22];
  const steps = Math.max(wave.length, Math.round((minutes * 60) / 45));
  for (let i = 0; i <= steps; i += 1) {
    const [page, gateway] = i % 2 === 1 ? [cloud, '/gateways/gw-001'] : [local, ''];
    await visit(page, `${gateway}/points/ahu-1/supply_setpoint`, 'Supply air setpoint');
    await writeApplied(page, i === steps ? 25.8 : wave[i % wave.length], { hold: '4 hours' });
    await pause((minutes * 60_000) / (steps + 1));
  }
}

/** Another document, sent from the dashboard, and taken. */
async function push(cloud, building) {
  const text = await readFile(building.path('riser.toml'), 'utf8');
  await visit(cloud, '/gateways/gw-001/configuration', 'Configuration');
  await cloud.getByRole('textbox', { name: 'Document' }).fill(text.replace('limit = 24.0', 'limit = 25.0'));
  await cloud.getByLabel('Why').fill('Warm weeks: no alarm before 25 °C');
  await cloud.getByRole('button', { name: 'Send on trial' }).click();
  await cloud.getByRole('region', { name: 'A change waits' }).waitFor({ timeout: 45_000 });
}

const stranger = async (browser, building) => ({
  local: await openPage(browser, building.local.url),
  cloud: await openPage(browser, building.cloud.url),
});

mkdirSync(chosen.out, { recursive: true });
const browser = await openBrowser();
const building = await Building.start();
try {
  const pages = await stranger(browser, building);
  const { local, cloud } = pages;
  await shoot(UNCLAIMED, pages);
  await claim(local, building);
  building.addUser(ADMIN, 'tenant_admin');
  await cloud.goto('/');
  await logInToCloud(cloud, { cloud: ADMIN });
  await cloud.getByRole('heading', { name: 'Gateways', level: 1 }).waitFor();
  await shoot(LOGGED_OUT, await stranger(browser, building));
  await live(local, cloud, Number(chosen.minutes));
  await shoot(NORMAL, pages);

  if (asked(ON_TRIAL)) {
    await push(cloud, building);
    await shoot(ON_TRIAL, pages);
    await visit(cloud, '/gateways/gw-001/configuration', 'Configuration');
    await cloud.getByRole('button', { name: 'Keep it' }).click();
    await cloud.getByRole('region', { name: 'A change waits' }).waitFor({ state: 'detached' });
  }

  if (asked(SILENT_FIELD)) {
    building.freeze('riser-sim');
    await visit(local, '/', 'Home');
    await local.getByText(NONE_ANSWERS).waitFor({ timeout: 60_000 });
    await shoot(SILENT_FIELD, pages);
    building.thaw('riser-sim');
    await visit(local, '/', 'Home');
    await local.getByText(ALL_ANSWER).waitFor({ timeout: 60_000 });
  }

  await building.kill('riser-cloud');
  await visit(local, '/', 'Home');
  await linkBecomes(local, 'Offline', 60_000);
  await shoot(NO_CLOUD, pages);
  await cloudHop(local)
    .getByText(/ batches \(.*\) wait here/)
    .waitFor({ timeout: 60_000 });
  await building.kill('riserd');
  poison(building.path('gateway'));
  building.restart('riser-cloud');
  building.restart('riserd');
  await linkBecomes(local, 'Live', 75_000);
  await shoot(QUARANTINE, pages);

  await building.kill('riserd');
  await shoot(NO_GATEWAY, pages);
} finally {
  await browser.close();
  await building.stop();
}
process.exit(failed > 0 ? 1 : 0);
