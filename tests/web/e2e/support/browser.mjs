// Chromium for tests: no name but this machine's resolves, and every page reports what it must not do:
// ask another host, break its content policy, throw.
import { chromium } from 'playwright-core';
import { CHROMIUM } from './programs.mjs';

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-dev-shm-usage',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost',
]; // prettier-ignore

export const DESK = { width: 1440, height: 900 };
export const PHONE = { width: 390, height: 844 };

/** Longest wait for anything on a page that has no time of its own; two busy cores are slow. */
const PATIENCE_MS = 60_000;

export const openBrowser = () => chromium.launch({ executablePath: CHROMIUM, args: FLAGS });

/** Writes down everything a page does that it must not. */
function watch(page, origin, problems) {
  page.on('pageerror', (error) => problems.push(`error in the page: ${error}`));
  page.on('console', (message) => {
    if (/content security policy/i.test(message.text())) problems.push(message.text());
  });
  const own = (url) => url.startsWith(`${origin}/`) || /^(data|blob):/.test(url);
  page.on('request', (request) => {
    if (!own(request.url())) problems.push(`request to another host: ${request.url()}`);
  });
  page.on('websocket', (socket) => {
    if (!own(socket.url().replace(/^ws/, 'http'))) problems.push(`socket to another host: ${socket.url()}`);
  });
}

/**
 * A page of a session of its own. `page.problems` fills with what it must not do, `page.requests` counts
 * what it asked for.
 */
export async function openPage(browser, origin, options = {}) {
  const context = await browser.newContext({ viewport: DESK, baseURL: origin, ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  page.problems = [];
  page.requests = 0;
  page.on('request', () => (page.requests += 1));
  watch(page, origin, page.problems);
  return page;
}

/** Marks the page, so that a later look tells whether it was loaded anew. */
export const mark = (page) => page.evaluate(() => void (window.marked = true));
export const wasReloaded = (page) => page.evaluate(() => window.marked !== true);
