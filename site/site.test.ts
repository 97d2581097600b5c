/**
 * The built site in a browser, on a phone and a desktop, in light and dark: `npm run docs`, then `npm --prefix site test`.
 * SCREENSHOTS names a folder for pictures of the pages.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import axe from 'axe-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { resolveConfig, serve } from 'vitepress';
import { startChromium } from '../__test__/support/chromium';

const PAGES = {
  home: '',
  api: 'api.html',
  limits: 'limits.html',
  command: 'cli.html',
  class: 'reference/classes/Session.html',
  missing: 'no-such-page.html',
};
const WCAG: axe.RunOptions = {
  runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
  // It is experimental, and takes the keys that the button of the search shows for a part of its name.
  rules: { 'label-content-name-mismatch': { enabled: false } },
};
const SCREENS: Record<string, BrowserContextOptions> = {
  phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
  desktop: { viewport: { width: 1280, height: 900 } },
};

describe('the site', () => {
  let server: Server;
  let browser: Browser;
  let address: string;

  before(async () => {
    const { site } = await resolveConfig(import.meta.dirname, 'serve', 'production');
    const served: unknown = await serve({ root: import.meta.dirname, base: site.base, port: 0 });
    ({ server } = served as { server: Server });
    if (!server.listening) await once(server, 'listening');
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}${site.base}`;
    browser = await startChromium();
  });

  after(async () => {
    await browser?.close();
    server?.close();
  });

  for (const [screen, options] of Object.entries(SCREENS)) {
    for (const colorScheme of ['light', 'dark'] as const) {
      describe(`on a ${screen}, ${colorScheme}`, () => {
        let page: Page;
        const foreign: string[] = [];
        const errors: Error[] = [];

        before(async () => {
          page = await (await browser.newContext({ ...options, colorScheme })).newPage();
          page.on('request', (request) => {
            const url = request.url();
            if (!url.startsWith(address) && !url.startsWith('data:')) foreign.push(url);
          });
          page.on('pageerror', (error) => errors.push(error));
        });

        after(() => page?.context().close());

        /** Takes a picture of the page, and looks for what a reader could not read. */
        async function look(name: string, options = WCAG): Promise<void> {
          const folder = process.env.SCREENSHOTS;
          if (folder) await page.screenshot({ path: join(folder, `${screen}-${colorScheme}-${name}.png`) });
          const [content, width] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
          assert.ok((content ?? 0) <= (width ?? 0), `the page has ${content} pixels, the screen ${width}`);
          await page.evaluate(axe.source);
          const { violations } = await page.evaluate(
            (options) => (window as unknown as { axe: typeof axe }).axe.run(options),
            options,
          );
          const found = violations.flatMap(({ id, nodes }) =>
            nodes.map(({ html, target }) => `${id}: ${target} ${html}`),
          );
          assert.deepEqual(found, []);
        }

        for (const [name, path] of Object.entries(PAGES)) {
          it(`shows the page: ${name}`, async () => {
            await page.goto(address + path, { waitUntil: 'networkidle' });
            await look(name);
          });
        }

        it('finds a method', async () => {
          await page.goto(address, { waitUntil: 'networkidle' });
          await page.getByRole('button', { name: 'Search' }).click();
          await page.getByRole('searchbox').fill('proxyExecute');
          await page.locator('.result').first().waitFor();
          const links = await page
            .locator('.result')
            .evaluateAll((results) => results.map((result) => result.getAttribute('href') ?? ''));
          assert.ok(
            links.some((link) => link.endsWith('/reference/classes/Session.html#proxyexecute')),
            links.join('\n'),
          );
          // The roles within the box are the theme's.
          await look('search', { runOnly: ['color-contrast'] });
        });

        it('loads nothing from another host, and has no error', () => {
          assert.deepEqual(foreign, []);
          assert.deepEqual(errors, []);
        });
      });
    }
  }
});
