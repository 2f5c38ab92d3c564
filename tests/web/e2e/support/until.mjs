// Waiting on a condition with a deadline; nothing here waits for a fixed time.
import { setTimeout as pause } from 'node:timers/promises';

const LOOK_EVERY_MS = 50;

/** The first truthy answer of `look`; after `ms` an error that says what was waited for and seen last. */
export async function until(what, look, ms = 45_000) {
  const deadline = Date.now() + ms;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > deadline) throw new Error(`within ${ms / 1000} s it did not come true that ${what}`);
    await pause(LOOK_EVERY_MS);
  }
}
