// Takes a picture of every page at the sizes of a phone and a desk, light and dark, over the fixture.
// usage: node tests/web/pictures/shoot.mjs OUT_FOLDER [part of a name]
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { SHOTS } from './shots.mjs';

const out = process.argv[2] ?? 'test-results/pictures';
const only = process.argv[3];
const SIZES = { phone: { width: 390, height: 844 }, desk: { width: 1440, height: 900 } };

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-dev-shm-usage',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
]; // prettier-ignore

async function scene(origin, changes) {
  await fetch(`${origin}/__fixture`, { method: 'POST', body: JSON.stringify(changes) });
}

mkdirSync(out, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: FLAGS,
});
let failed = 0;
for (const shot of SHOTS) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of ['light', 'dark']) {
      const name = `${shot.name}-${size}-${colorScheme}`;
      if (only && !name.includes(only)) continue;
      const page = await browser.newPage({
        viewport,
        colorScheme,
        hasTouch: size === 'phone',
        deviceScaleFactor: 1,
      });
      const problems = [];
      page.on('pageerror', (e) => problems.push(String(e)));
      page.on(
        'console',
        (m) => m.type() === 'error' && !/status of (4|5)\d\d/.test(m.text()) && problems.push(m.text()),
      );
      page.on(
        'request',
        (r) =>
          !r.url().startsWith(shot.origin) &&
          !r.url().startsWith('data:') &&
          problems.push(`outside: ${r.url()}`),
      );
      try {
        await scene(shot.origin, { ...shot.normal, ...shot.scene });
        if (shot.before) await shot.before(page);
        await page.goto(shot.origin + shot.path, { waitUntil: 'load' });
        await shot.act?.(page, size);
        await page.waitForTimeout(shot.settle ?? 900);
        const wide = await page.evaluate(
          () => document.documentElement.scrollWidth > document.documentElement.clientWidth + 1,
        );
        if (wide) problems.push('the page scrolls sideways');
        await page.screenshot({
          path: join(out, `${name}.png`),
          fullPage: (shot.full ?? false) && size === 'desk',
        });
      } catch (reason) {
        problems.push(String(reason).split('\n')[0]);
        await page.screenshot({ path: join(out, `${name}.png`) });
      }
      await page.close();
      failed += problems.length;
      process.stdout.write(`${problems.length ? 'PROBLEM' : 'ok'} ${name} ${problems.join(' | ')}\n`);
    }
  }
}
await browser.close();
process.exit(failed > 0 ? 1 : 0);
