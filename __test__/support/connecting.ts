/** Shared by the tests of the connect page and its screenshots: a gateway, a provider, and users with browsers. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { Composio, Gateway, type GatewayOptions, type Session, type ToolkitDefinition } from '../../index.js';
import { AuthorizationServer } from './authorization-server';
import { startChromium } from './chromium';
import { sendJson, Upstream } from './upstream';

/**
 * Four toolkits. Three use consent at a real authorization server: with a client, without one, and with a callback
 * that is posted from another site. One uses a key that the gateway tests.
 */
function toolkits(provider: AuthorizationServer, upstream: Upstream): ToolkitDefinition[] {
  return [
    {
      slug: 'acme',
      name: 'Acme',
      base_url: `${provider.origin}/api`,
      schemes: {
        OAUTH2: {
          headers: { Authorization: 'Bearer {{access_token}}' },
          authorization_server: {
            authorize_url: `${provider.origin}/auth`,
            token_url: `${provider.origin}/token`,
            issuer: provider.origin,
            authorization_response_iss_parameter_supported: true,
            scopes: ['openid', 'offline_access', 'read'],
            scope_words: {
              openid: 'Know who you are',
              offline_access: 'Go on while you are away',
              read: 'Read your orders',
            },
            authorize_parameters: { prompt: 'consent' },
          },
        },
      },
    },
    {
      slug: 'registering',
      name: 'Acme Notes',
      base_url: `${provider.origin}/api`,
      schemes: {
        DCR_OAUTH: {
          headers: { Authorization: 'Bearer {{access_token}}' },
          authorization_server: {
            authorize_url: `${provider.origin}/auth`,
            token_url: `${provider.origin}/token`,
            registration_url: `${provider.origin}/reg`,
            scopes: ['openid', 'offline_access', 'read'],
            authorize_parameters: { prompt: 'consent' },
          },
        },
      },
    },
    {
      slug: 'posting',
      name: 'Acme Mail',
      base_url: `${provider.origin}/api`,
      schemes: {
        OAUTH2: {
          headers: { Authorization: 'Bearer {{access_token}}' },
          authorization_server: {
            // Another site than the gateway's.
            authorize_url: `${provider.origin.replace('127.0.0.1', 'localhost')}/auth`,
            token_url: `${provider.origin}/token`,
            scopes: ['openid', 'offline_access', 'read'],
            authorize_parameters: { prompt: 'consent', response_mode: 'form_post' },
          },
        },
      },
    },
    {
      slug: 'keyed',
      name: 'Acme Weather',
      base_url: `${upstream.origin}/{{region}}`,
      check: '/me',
      fields: { region: { description: 'Where your stations are', example: 'eu' } },
      schemes: { API_KEY: { headers: { 'x-api-key': '{{api_key}}' } } },
    },
  ];
}

export class Connecting {
  private constructor(
    readonly gateway: Gateway,
    readonly composio: Composio,
    readonly session: Session,
    readonly provider: AuthorizationServer,
    readonly upstream: Upstream,
    readonly browser: Browser,
    /** The callback URL of users. */
    readonly app: string,
    readonly close: () => Promise<void>,
  ) {}

  static async start(options: GatewayOptions = {}): Promise<Connecting> {
    const [provider, upstream, browser] = await Promise.all([
      AuthorizationServer.start(),
      Upstream.start(),
      startChromium(),
    ]);
    upstream.on('/eu/me', (response, { headers }) =>
      sendJson(response, headers['x-api-key'] === 'the-right-key' ? 200 : 401, '{}'),
    );
    const application = createServer((_, response) => response.end('<!doctype html><title>app</title>'));
    application.listen(0, '127.0.0.1');
    await once(application, 'listening');
    const gateway = await Gateway.open({
      toolkits: toolkits(provider, upstream),
      allowPrivateHosts: [provider.host, new URL(upstream.origin).host],
      ...options,
    });
    await gateway.listen();
    const composio = new Composio({ gateway });
    for (const toolkit of ['acme', 'posting']) {
      await composio.authConfigs.create(toolkit, {
        type: 'use_custom_auth',
        authScheme: 'OAUTH2',
        credentials: provider.client,
      });
    }
    const session = await composio.create('ann');
    const close = async () => {
      await browser.close();
      await gateway.close();
      await Promise.all([provider.close(), upstream.close()]);
      application.closeAllConnections();
      application.close();
    };
    const app = `http://127.0.0.1:${(application.address() as AddressInfo).port}/done`;
    return new Connecting(gateway, composio, session, provider, upstream, browser, app, close);
  }

  /** A user with their own browser, in which no page may run a script. */
  async person(options: BrowserContextOptions = {}): Promise<{ context: BrowserContext; page: Page }> {
    const context = await this.browser.newContext({ javaScriptEnabled: false, ...options });
    context.setDefaultTimeout(20_000);
    return { context, page: await context.newPage() };
  }

  /** A link to connect a toolkit. */
  async link(toolkit: string, callbackUrl?: string) {
    const request = await this.session.authorize(toolkit, { callbackUrl });
    return { ...request, url: `${request.redirectUrl}` };
  }

  /** Consents at the provider, stops at its redirect to the gateway, and returns that URL. */
  async agree(page: Page): Promise<string> {
    const { request } = page.context();
    const consent = await page.locator('form').getAttribute('action');
    const posted = await request.post(`${consent}`, { form: { prompt: 'consent' }, maxRedirects: 0 });
    const resumed = await request.get(`${posted.headers().location}`, { maxRedirects: 0 });
    return `${resumed.headers().location}`;
  }

  /** Signs in at the provider, and stops at the page for consent. */
  async signIn(page: Page): Promise<void> {
    await page.getByRole('button', { name: 'Continue to Acme' }).click();
    await page.locator('input[name=login]').fill('ann');
    await page.locator('input[name=password]').fill('any');
    await page.locator('button[type=submit]').click();
    await page.waitForURL(/\/interaction\//);
  }
}
