// Reads how many tests passed, failed and were skipped from what the web's test runners print.

const number = (output, pattern) =>
  [...output.replace(/\x1b\[[0-9;]*m/g, '').matchAll(pattern)].reduce((sum, m) => sum + Number(m[1]), 0);

/** What vitest counts. */
export const readVitest = (output) => ({
  passed: number(output, /^\s*Tests\s.*?(\d+) passed/gm),
  failed: number(output, /^\s*Tests\s.*?(\d+) failed/gm),
  skipped: number(output, /^\s*Tests\s.*?(\d+) skipped/gm),
});
/** What Node's own runner counts; tests of the browser that did not run count as skipped. */
export const readNodeTest = (output) => ({
  passed: number(output, /^\S+ pass (\d+)$/gm),
  failed: number(output, /^\S+ (?:fail|cancelled) (\d+)$/gm),
  skipped: number(output, /^\S+ skipped (\d+)$/gm) + (output.match(/^SKIPPED browser tests:/gm) ?? []).length,
});
