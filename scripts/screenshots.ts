// Takes the pictures of the connect page in docs/images/connect: `npm run screenshots`.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { Connecting } from '../__test__/support/connecting';

const FOLDER = join(__dirname, '..', 'docs', 'images', 'connect');
const DESKTOP: BrowserContextOptions = { viewport: { width: 560, height: 520 } };
const PHONE: BrowserContextOptions = { viewport: { width: 360, height: 560 }, isMobile: true, hasTouch: true };

async function main(): Promise<void> {
  await mkdir(FOLDER, { recursive: true });
  const connecting = await Connecting.start();
  const take = async (page: Page, name: string) => {
    await page.screenshot({ path: join(FOLDER, `${name}.png`), fullPage: true });
    console.log(`docs/images/connect/${name}.png`);
  };
  const person = async (options: BrowserContextOptions = DESKTOP) => (await connecting.person(options)).page;

  const acme = await connecting.link('acme', 'https://app.example.com/connected');
  let page = await person();
  await page.goto(acme.url);
  await take(page, 'consent');
  const dark = await person({ ...DESKTOP, colorScheme: 'dark' });
  await dark.goto(acme.url);
  await take(dark, 'consent-dark');
  await connecting.signIn(page);
  const other = await person();
  await other.goto(acme.url);
  await take(other, 'other-browser');
  await page.getByRole('link', { name: /cancel/i }).click();
  await page.getByText('You did not allow it').waitFor();
  await take(page, 'denied');
  await page.goto(acme.url);
  await take(page, 'used');
  await page.goto(`${acme.url}x`);
  await take(page, 'not-valid');

  const agreed = await connecting.link('acme');
  await page.goto(agreed.url);
  await page.getByRole('button', { name: 'Continue to Acme' }).click();
  await page.locator('button[type=submit]').click();
  await page.getByText('You can close this page.').waitFor();
  await take(page, 'connected');
  await page.reload();
  await take(page, 'step-over');

  const keyed = await connecting.link('keyed');
  page = await person();
  await page.goto(keyed.url);
  await take(page, 'key');
  await page.getByLabel('API key').fill('a-wrong-key');
  await page.getByLabel('Region').fill('eu');
  await page.getByRole('button', { name: 'Connect' }).click();
  await page.getByText('did not accept this').waitFor();
  await take(page, 'key-refused');
  const phone = await person({ ...PHONE, colorScheme: 'dark' });
  await phone.goto((await connecting.link('keyed')).url);
  await take(phone, 'key-phone-dark');
  await connecting.close();

  const short = await Connecting.start({ linkLifetime: 1_000 });
  const { url, waitForConnection } = await short.link('acme');
  await waitForConnection().catch(() => {});
  page = (await short.person(DESKTOP)).page;
  await page.goto(url);
  await take(page, 'expired');
  await short.close();
}

main();
