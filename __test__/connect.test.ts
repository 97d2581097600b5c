/**
 * The connect page in a real browser, with a real authorization server. No page runs a script but axe.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { ConnectionRequestFailedError } from '../index.js';
import { chromiumPath, NO_CHROMIUM } from './support/chromium';
import { Connecting } from './support/connecting';
import { rejection } from './support/expect';

/** Code for the page is text here, because these tests have no `document`. */
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

if (chromiumPath === undefined && !process.env.CI) console.warn(`The connect page is not tested. ${NO_CHROMIUM}`);

describe('the connect page', { skip: chromiumPath === undefined && !process.env.CI && NO_CHROMIUM }, () => {
  let connecting: Connecting;

  before(async () => {
    connecting = await Connecting.start({ linkLifetime: 120_000 });
  });
  after(() => connecting?.close());

  const heading = (page: Page) => page.getByRole('heading', { level: 1 }).textContent();

  it('leads through the provider, to a page that may be closed', async () => {
    const { page } = await connecting.person();
    const { url, id, waitForConnection } = await connecting.link('acme');
    const waiting = waitForConnection(60_000);
    await page.goto(url);
    assert.equal(await heading(page), 'Connect Acme');
    await page.getByText('Read your orders').waitFor();
    await connecting.signIn(page);
    await page.locator('button[type=submit]').click();
    await page.getByText('You can close this page.').waitFor();
    assert.equal(await heading(page), 'Acme is connected');
    assert.equal((await waiting).id, id);
    const { data } = await connecting.session.proxyExecute<{ user: string }>({
      toolkit: 'acme',
      endpoint: '/me',
      method: 'GET',
    });
    assert.equal(data.user, 'ann');
    // A second time, the step is over, and so is the link.
    await page.reload();
    assert.equal(await heading(page), 'This step is over');
    await page.goto(url);
    assert.equal(await heading(page), 'This link was already used');
  });

  it('leads back to the application', async () => {
    const { page } = await connecting.person();
    const { url, id } = await connecting.link('acme', connecting.app);
    await page.goto(url);
    await connecting.signIn(page);
    await page.locator('button[type=submit]').click();
    await page.waitForURL(`${connecting.app}?status=success&connected_account_id=${id}`);
  });

  it('leads through a provider that registers the client first', async () => {
    const { page } = await connecting.person();
    const { url, id, waitForConnection } = await connecting.link('registering');
    const waiting = waitForConnection(60_000);
    await page.goto(url);
    await connecting.signIn(page);
    await page.locator('button[type=submit]').click();
    await page.getByText('You can close this page.').waitFor();
    assert.equal((await waiting).id, id);
    const { granted } = await connecting.provider.events();
    await connecting.composio.connectedAccounts.refresh(id);
    assert.equal((await connecting.provider.events()).granted, granted + 1);
    const { data } = await connecting.session.proxyExecute<{ user: string }>({
      toolkit: 'registering',
      endpoint: '/me',
      method: 'GET',
    });
    assert.equal(data.user, 'ann');
  });

  it('accepts a callback that is posted from another site', async () => {
    const { page } = await connecting.person({ javaScriptEnabled: true });
    const { url, id, waitForConnection } = await connecting.link('posting');
    const waiting = waitForConnection(60_000);
    await page.goto(url);
    await connecting.signIn(page);
    assert.equal(new URL(page.url()).hostname, 'localhost');
    const posted = page.waitForRequest((request) => request.method() === 'POST' && request.url().endsWith('/callback'));
    await page.locator('button[type=submit]').click();
    assert.equal((await (await posted).response())?.status(), 303);
    await page.getByText('You can close this page.').waitFor();
    assert.equal((await waiting).id, id);
  });

  it('refuses a callback of another authorization server', async () => {
    const { page } = await connecting.person();
    const { url, id, waitForConnection } = await connecting.link('acme');
    await page.goto(url);
    await connecting.signIn(page);
    const callback = new URL(await connecting.agree(page));
    assert.equal(callback.searchParams.get('iss'), connecting.provider.origin);
    callback.searchParams.delete('iss');
    const { granted } = await connecting.provider.events();
    await page.goto(callback.href);
    assert.equal(await heading(page), 'Acme was not connected');
    await rejection(() => waitForConnection(), ConnectionRequestFailedError, { names: /FAILED.*names no issuer/ });
    assert.equal((await connecting.provider.events()).granted, granted);
    assert.equal((await connecting.composio.connectedAccounts.get(id)).status, 'FAILED');
  });

  it('accepts a refusal by the user', async () => {
    const { page } = await connecting.person();
    const { url, id, waitForConnection } = await connecting.link('acme', connecting.app);
    await page.goto(url);
    await connecting.signIn(page);
    await page.getByRole('link', { name: /cancel/i }).click();
    await page.getByText('You did not allow it').waitFor();
    await page.getByRole('link', { name: 'Back to 127.0.0.1' }).click();
    await page.waitForURL(`${connecting.app}?status=failed&connected_account_id=${id}`);
    await rejection(() => waitForConnection(), ConnectionRequestFailedError, { names: /FAILED.*did not allow/ });
  });

  it('refuses a changed state, and a state of another browser', async () => {
    const { page } = await connecting.person();
    const { url, id } = await connecting.link('acme');
    await page.goto(url);
    await connecting.signIn(page);
    const callback = await connecting.agree(page);

    const other = (await connecting.person()).page;
    await other.goto(callback);
    assert.equal(await heading(other), 'This was started in another browser');
    await other.goto(url);
    assert.equal(await heading(other), 'This was started in another browser');
    const tampered = new URL(callback);
    tampered.searchParams.set('state', `${tampered.searchParams.get('state')}x`);
    await page.goto(tampered.href);
    assert.equal(await heading(page), 'This step is over');
    assert.equal((await connecting.composio.connectedAccounts.get(id)).status, 'INITIATED');
    // The first browser can still continue.
    await page.goto(callback);
    assert.equal(await heading(page), 'Acme is connected');
  });

  it('says that a link has expired', async () => {
    const short = await Connecting.start({ linkLifetime: 1_000 });
    const { page } = await short.person();
    const { url, waitForConnection } = await short.link('acme');
    await rejection(() => waitForConnection(), ConnectionRequestFailedError, { names: /EXPIRED.*within 1 second/ });
    await page.goto(url);
    assert.equal(await heading(page), 'This link has expired');
    await short.close();
  });

  it('accepts a valid key, with the keyboard alone, on a phone', async () => {
    const { page } = await connecting.person({ viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true });
    const { url, id, waitForConnection } = await connecting.link('keyed', connecting.app);
    await page.goto(url);
    const key = page.getByLabel('API key');
    assert.equal(await key.getAttribute('type'), 'password');
    assert.equal(
      await page.evaluate('getComputedStyle(document.querySelector("input[type=password]")).fontSize'),
      '16px',
    );
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 360, 'nothing is cut off');

    // The first field has the focus; then by Tab through the form.
    await page.keyboard.type('the-wrong-key');
    await page.keyboard.press('Tab');
    await page.keyboard.type('eu');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate('document.activeElement.tagName'), 'BUTTON');
    await page.keyboard.press('Enter');
    await page.getByText('Acme Weather did not accept this.').waitFor();
    assert.equal(await page.getByRole('alert').textContent(), 'One field needs your attention.');
    assert.match(await page.title(), /^Error: /);
    assert.equal(await key.inputValue(), '', 'a secret does not come back');
    assert.equal(await page.getByLabel('Region').inputValue(), 'eu');
    assert.equal(await key.getAttribute('aria-invalid'), 'true');

    await page.keyboard.type('the-right-key');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${connecting.app}?status=success&connected_account_id=${id}`);
    assert.equal((await waitForConnection()).status, 'ACTIVE');
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`has no serious findings of axe, in ${colorScheme}`, async () => {
      const { page } = await connecting.person({ javaScriptEnabled: true, bypassCSP: true, colorScheme });
      const looked: (string | null)[] = [];
      const look = async () => {
        await page.evaluate(axe);
        const { violations } = await page.evaluate<Found>('axe.run()');
        const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
        assert.deepEqual(serious, [], await page.title());
        looked.push(await heading(page));
      };
      const acme = await connecting.link('acme');
      await page.goto(acme.url);
      await look();
      await connecting.signIn(page);
      await page.locator('button[type=submit]').click();
      await page.getByText('You can close this page.').waitFor();
      await look();
      await page.reload();
      await look();
      await page.goto(acme.url);
      await look();
      await page.goto(`${acme.url}x`);
      await look();
      const keyed = await connecting.link('keyed');
      await page.goto(keyed.url);
      await look();
      await page.getByRole('button', { name: 'Connect' }).click();
      await page.getByRole('alert').waitFor();
      await look();
      await page.getByLabel('API key').fill('a-wrong-key');
      await page.getByLabel('Region').fill('eu');
      await page.getByRole('button', { name: 'Connect' }).click();
      await page.getByText('did not accept this').waitFor();
      await look();
      await page.context().clearCookies();
      await page.goto(keyed.url);
      await look();
      const refused = await connecting.link('acme', connecting.app);
      await page.goto(refused.url);
      await connecting.signIn(page);
      await page.getByRole('link', { name: /cancel/i }).click();
      await page.getByText('You did not allow it').waitFor();
      await look();
      assert.deepEqual(looked, [
        'Connect Acme',
        'Acme is connected',
        'This step is over',
        'This link was already used',
        'This link is not valid',
        'Connect Acme Weather',
        'Connect Acme Weather',
        'Connect Acme Weather',
        'This was started in another browser',
        'Acme was not connected',
      ]);
    });
  }
});

/** The findings of axe. */
interface Found {
  violations: { impact: string; id: string; description: string }[];
}
