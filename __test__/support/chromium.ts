/** A real browser: Debian's Chromium, or the one that `CHROMIUM` names. */

import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Its path; undefined if there is none. */
export const chromiumPath = process.env.CHROMIUM ?? PATHS.find((path) => existsSync(path));

/** Skips the tests without a browser. CI has one, so there its absence is a failure. */
export const NO_CHROMIUM = 'There is no Chromium: `apt-get install chromium`, or set CHROMIUM to where it is.';

export function startChromium(): Promise<Browser> {
  if (chromiumPath === undefined) throw new Error(NO_CHROMIUM);
  // The sandbox needs rights that a container lacks. The pages are trusted.
  return chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'] });
}
