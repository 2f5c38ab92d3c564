// Where the programs under test and the browser are.
import { accessSync, constants } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../../../..');

/** Folder of riser-demo, riserd, riser-cloud and riser-sim. */
export const BINARIES = process.env.RISER_BINARIES ?? join(ROOT, 'target/debug');

/** Debian's Chromium, or the one named by CHROMIUM. */
export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

export function runnable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
