/**
 * The setting of an SDK: a stand-in of its API, a gateway in this process with an account of it, and
 * sessions that may use it, that have no account, and that may not use it.
 */

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { Composio, Gateway } from '../../index.mjs';
import { DUMMY, StandIn } from './stand-ins/stand-in.mjs';

export { DUMMY };

/** Opens a gateway with the toolkits of APIs, each at the address of its stand-in. */
export async function openGateway(apis, standIns) {
  const folder = mkdtempSync(join(tmpdir(), 'proxy-execute-sdks-'));
  const toolkits = apis.map(({ slug, path = '', schemes }, index) => {
    const base_url = `${standIns[index].origin}${path}`;
    if (schemes !== undefined) return { slug, name: slug, base_url, schemes };
    // A built-in toolkit, with another base URL.
    const toml = readFileSync(new URL(`../../crates/gateway/toolkits/${slug}.toml`, import.meta.url), 'utf8');
    const file = join(folder, `${slug}.toml`);
    writeFileSync(file, toml.replace(/^base_url = .*$/m, `base_url = "${base_url}"`).replace(/^hosts = .*\n/m, ''));
    return file;
  });
  const allowPrivateHosts = standIns.map(({ host }) => host);
  try {
    return await Gateway.open({ allowPrivateHosts, toolkits });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Sets up an API's tests. The setting has its parts once the tests run. */
export function connected(api) {
  const setting = {};
  before(async () => {
    const standIn = await StandIn.start(api);
    const other = { slug: 'other', schemes: { NO_AUTH: {} } };
    const gateway = await openGateway([api, other], [standIn, standIn]);
    await gateway.connectedAccounts.import({ userId: 'ann', toolkit: api.slug, credential: api.account });
    const composio = new Composio({ gateway });
    const session = await composio.create('ann', { toolkits: [api.slug] });
    const sessions = {
      'no account': await composio.create('bea', { toolkits: [api.slug] }),
      'a session that does not allow the toolkit': await composio.create('ann', { toolkits: ['other'] }),
    };
    Object.assign(setting, { api, standIn, gateway, composio, session, sessions, url: standIn.origin });
    setting.fetch = session.fetch(api.slug);
  });
  afterEach(() => setting.standIn.check());
  after(async () => {
    await setting.gateway.close();
    await setting.standIn.close();
  });
  return setting;
}

/** A `fetch` for an SDK that only knows the real address of its API: it leads to `url`. */
export function fromItsAddress({ origins }, fetch, url) {
  const moved = (address) => origins.reduce((text, origin) => text.replace(origin, url), `${address}`);
  return (input, init) =>
    input instanceof Request ? fetch(new Request(moved(input.url), input), init) : fetch(moved(input), init);
}

/**
 * The gateway's refusals: the SDK reports each at once, with its status, after one request of which the API sees
 * nothing. `use(fetch, url)` makes one request with an SDK at a base URL; `status(error)` is what the SDK tells.
 */
export function refused(setting, { use, status = (error) => error.status }) {
  const cases = [
    ['no account', 400, 'ToolRouterV2_NoActiveConnection'],
    ['a session that does not allow the toolkit', 403, 'ToolRouterV2_ToolkitNotAllowed'],
    ['a foreign origin', 400, 'OriginMismatch'],
  ];
  describe('the SDK reports at once', () => {
    for (const [name, expected, slug] of cases) {
      it(name, async () => {
        const { api, standIn, session, sessions, url } = setting;
        const fetch = (sessions[name] ?? session).fetch(api.slug);
        const slugs = [];
        const counted = async (...request) => {
          const response = await fetch(...request);
          slugs.push(response.headers.get('x-proxy-execute-error'));
          return response;
        };
        const started = performance.now();
        const error = await use(counted, sessions[name] === undefined ? 'http://elsewhere.example' : url).then(
          (value) => assert.fail(`it got ${JSON.stringify(value)}`),
          (error) => error,
        );
        assert.ok(performance.now() - started < 2_000, 'it took two seconds');
        assert.deepEqual(slugs, [slug]);
        assert.equal(status(error), expected, `${error}`);
        assert.deepEqual(standIn.requests, []);
      });
    }
  });
}

/** Sets up the tests of an API that is used through the relay of a port. */
export function relayed(api) {
  const setting = connected(api);
  before(async () => {
    const { url } = await setting.gateway.listen();
    const { key } = await setting.gateway.apiKeys.create();
    setting.relayOf = ({ sessionId }) => `${url}/relay/${sessionId}/${api.slug}`;
    Object.assign(setting, { relay: setting.relayOf(setting.session), key });
    setting.standIn.forbidden.push(key);
  });
  return setting;
}

/** As {@link refused}: `use(url, key)` makes one request with an SDK at a base URL. */
export function refusedByRelay(setting, { use, status = (error) => error.status }) {
  const cases = [
    ['no account', 400],
    ['a session that does not allow the toolkit', 403],
    ['a key that the gateway does not know', 401],
  ];
  describe('the SDK reports at once', () => {
    for (const [name, expected] of cases) {
      it(name, async () => {
        const { session, sessions, standIn, key } = setting;
        const url = setting.relayOf(sessions[name] ?? session);
        const started = performance.now();
        const error = await use(url, sessions[name] === undefined ? `ak_${DUMMY}` : key).then(
          (value) => assert.fail(`it got ${JSON.stringify(value)}`),
          (error) => error,
        );
        assert.ok(performance.now() - started < 2_000, 'it took two seconds');
        assert.equal(status(error), expected, `${error}`);
        assert.deepEqual(standIn.requests, []);
      });
    }
  });
}
