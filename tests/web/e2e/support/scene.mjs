// One building and one browser for the tests of a file, and the last word of each: no page has asked
// another host, broken its content policy or thrown.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openBrowser, openPage } from './browser.mjs';
import { Building } from './building.mjs';

/** Starts building and browser before the tests of this file, ends them after. */
export function scene(options) {
  const pages = [];
  const it = {
    /** A page of the gateway's UI. */
    local: (more) => open(it.building.local.url, more),
    /** A page of the dashboard. */
    cloud: (more) => open(it.building.cloud.url, more),
  };
  async function open(origin, more) {
    const page = await openPage(it.browser, origin, more);
    pages.push(page);
    return page;
  }
  before(async () => {
    it.browser = await openBrowser();
    it.building = await Building.start(options);
  });
  after(async () => {
    await it.browser?.close();
    await it.building?.stop();
  });
  /** Declares the last test of the file: what no page may have done. */
  it.conclude = () =>
    test('no page asked another host, broke its content policy or threw', () => {
      assert.ok(pages.length > 0 && pages.every((page) => page.requests > 0));
      assert.deepEqual(
        pages.flatMap((page) => page.problems),
        [],
      );
    });
  return it;
}
