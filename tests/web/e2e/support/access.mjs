// Judging a page by what assistive technology, a keyboard and a narrow screen need of it.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { until } from './until.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Readies a loaded page to be judged: colours change at once, not by and by. */
async function prepare(page) {
  if (await page.evaluate(() => 'axe' in window)) return;
  await page.addStyleTag({ content: '*, *::before, *::after { transition: none !important }' });
  await page.evaluate(AXE);
}

/** Serious and critical violations on the page in a theme, one line each. */
export async function violations(page, colorScheme) {
  await prepare(page);
  await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
  await page.waitForFunction((s) => document.documentElement.dataset.mantineColorScheme === s, colorScheme);
  const found = await page.evaluate(
    (values) => window.axe.run(document, { runOnly: { type: 'tag', values }, resultTypes: ['violations'] }),
    RULES,
  );
  return found.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map((n) => `${id}: ${n.target.join(' ')}: ${n.any[0]?.message ?? n.html}`),
    );
}

/** Whether the page scrolls sideways. */
export const scrollsSideways = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

/** What has the focus, as a person would name it, and whether it is seen to have it. */
export const focused = (page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    // A choice draws its ring on the label beside the hidden field.
    const drawn = element.type === 'radio' ? (element.nextElementSibling ?? element) : element;
    const style = getComputedStyle(drawn);
    const box = drawn.getBoundingClientRect();
    const ringed = (s) =>
      (s.outlineStyle !== 'none' && Number.parseFloat(s.outlineWidth) > 0) || s.boxShadow !== 'none';
    const label = element.labels?.[0]?.innerText ?? element.getAttribute('aria-label');
    return {
      name: (label ?? element.innerText ?? '').trim().replace(/\s+/g, ' '),
      seen: ringed(style) && box.width > 0 && box.bottom > 0 && box.top < innerHeight,
    };
  });

/** Presses Tab until `name` has the focus; what has it on the way must be seen to have it. */
export async function tabTo(page, name, limit = 60) {
  const way = [];
  for (let i = 0; i < limit; i += 1) {
    await page.keyboard.press('Tab');
    const now = await focused(page);
    way.push(now.name);
    if (!now.seen) throw new Error(`the focus is not seen on “${now.name}” (${way.join(' → ')})`);
    if (name.test(now.name)) return;
  }
  throw new Error(`${limit} times Tab did not reach ${name}: ${way.join(' → ')}`);
}

/** Waits until `name` has the focus. */
export const focusReaches = (page, name) =>
  until(`${name} has the focus`, async () => name.test((await focused(page)).name));
