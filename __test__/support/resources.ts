/**
 * Accounts, auth configs, toolkits and sessions: the guarantees over every interface of a gateway.
 */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  AuthScheme,
  BadRequestError,
  type Composio,
  ComposioAclOnlyForSharedError,
  ComposioAuthConfigNotFoundError,
  ComposioConnectedAccountNotFoundError,
  ComposioMultipleConnectedAccountsError,
  ComposioSessionConfigConflictError,
  ComposioSharedAccessDeniedError,
  ComposioToolkitNotFoundError,
  ConnectionRequestFailedError,
  ConnectionRequestTimeoutError,
  type Gateway,
  NotFoundError,
  UnprocessableEntityError,
  ValidationError,
} from '../../index.js';
import { connect, openGateway } from './acme';
import { rejection, until } from './expect';
import { Upstream } from './upstream';
import type { Way, WayIn } from './ways';

const DIRECT = { endpoint: '/me', method: 'GET' } as const;
const CALL = { toolkit: 'acme', ...DIRECT };

/** Declares the suite for one interface. */
export function resources(name: string, way: Way): void {
  describe(name, () => {
    let upstream: Upstream;
    let gateway: Gateway;
    let wayIn: WayIn;
    let composio: Composio;

    before(async () => {
      upstream = await Upstream.start();
      gateway = await openGateway(upstream.port, { publicUrl: 'https://gateway.example' });
      wayIn = await way(gateway);
      composio = wayIn.composio();
    });

    after(async () => {
      await wayIn.close();
      await gateway.close();
      await upstream.close();
    });

    /** An auth config for keys of Acme. */
    async function keyed(): Promise<string> {
      return (await composio.authConfigs.create('acme', { type: 'use_custom_auth', authScheme: 'API_KEY' })).id;
    }

    describe('connected accounts', () => {
      it('are listed by every filter, in both orders, page by page', async () => {
        const ids: string[] = [];
        for (const user of ['l1', 'l2', 'l3']) {
          ids.push(await connect(gateway, user));
        }
        const { connectedAccounts } = composio;
        const found = async (filter: Parameters<typeof connectedAccounts.list>[0]) =>
          (await connectedAccounts.list(filter)).items.map(({ id }) => id);
        const userIds = ['l1', 'l2', 'l3'];
        assert.deepEqual(await found({ userIds }), ids.toReversed());
        assert.deepEqual(await found({ userIds, orderDirection: 'asc', orderBy: 'updated_at' }), ids);
        assert.deepEqual(await found({ userIds, toolkitSlugs: ['github'] }), []);
        assert.deepEqual(await found({ userIds, statuses: ['EXPIRED'] }), []);
        assert.deepEqual(await found({ connectedAccountIds: ids.slice(0, 1) }), ids.slice(0, 1));
        const { authConfig } = await connectedAccounts.get(ids[0] ?? '');
        assert.deepEqual(await found({ userIds, authConfigIds: [authConfig.id] }), ids.toReversed());
        const first = await connectedAccounts.list({ userIds, limit: 2 });
        assert.deepEqual([first.totalItems, first.totalPages, first.currentPage], [3, 2, 1]);
        const second = await connectedAccounts.list({ userIds, limit: 2, cursor: first.nextCursor ?? '' });
        assert.deepEqual([second.items.length, second.currentPage, second.nextCursor], [1, 2, null]);
      });

      it('are read without their secrets', async () => {
        const id = await connect(gateway, 'reader', 'canary-of-reader');
        const account = await composio.connectedAccounts.get(id);
        assert.deepEqual(account.state, { authScheme: 'API_KEY', val: { status: 'ACTIVE', api_key: 'REDACTED' } });
        assert.deepEqual(
          [account.id, account.userId, account.toolkit.slug, account.status, account.isDisabled, account.alias],
          [id, 'reader', 'acme', 'ACTIVE', false, null],
        );
        assert.match(account.wordId ?? '', /^acme_\w+-\w+$/);
        assert.ok(!JSON.stringify(account).includes('canary'));
      });

      it('are disabled, enabled, renamed, refreshed, revoked and deleted', async () => {
        const { connectedAccounts } = composio;
        const id = await connect(gateway, 'changing');
        assert.deepEqual(await connectedAccounts.disable(id), { success: true });
        assert.equal((await connectedAccounts.get(id)).isDisabled, true);
        assert.deepEqual(await connectedAccounts.enable(id), { success: true });
        assert.deepEqual(await connectedAccounts.update(id, { enabled: false }), { success: true });
        assert.deepEqual(await connectedAccounts.updateStatus(id, { enabled: true, reason: 'back' }), {
          success: true,
        });
        assert.deepEqual(await connectedAccounts.update(id, { alias: 'work' }), { success: true });
        assert.equal((await connectedAccounts.get(id)).alias, 'work');
        await connectedAccounts.update(id, { alias: '' });
        assert.equal((await connectedAccounts.get(id)).alias, null);
        assert.deepEqual(await connectedAccounts.refresh(id), { id, status: 'ACTIVE', redirectUrl: null });
        const revoked = { id, status: 'REVOKED', success: true, revokedTokens: [], notRevoked: [] };
        assert.deepEqual(await connectedAccounts.revoke(id), revoked);
        assert.deepEqual(await connectedAccounts.delete(id), { success: true });
        await rejection(() => connectedAccounts.get(id), ComposioConnectedAccountNotFoundError, {
          slug: 'ConnectedAccountNotFound',
        });
      });

      it('are used outside of a session by default, if one is named', async () => {
        const { connectedAccounts, tools } = composio;
        const [first, second] = [await connect(gateway, 'default-1'), await connect(gateway, 'default-2')];
        const refused = () =>
          rejection(() => tools.proxyExecute(DIRECT), BadRequestError, {
            slug: 'MissingAuthContext',
            fix: /connectedAccounts\.setDefault\(\)/,
          });
        await refused();
        for (const [id, user] of [
          [first, 'default-1'],
          [second, 'default-2'],
        ] as const) {
          assert.deepEqual(await connectedAccounts.setDefault(id), { success: true });
          await tools.proxyExecute(DIRECT);
          assert.equal(upstream.last.headers['x-api-key'], `key of ${user}`);
          assert.equal((await connectedAccounts.get(id)).isDefault, true);
        }
        assert.equal((await connectedAccounts.get(first)).isDefault, false);
        await connectedAccounts.disable(second);
        await rejection(() => tools.proxyExecute(DIRECT), UnprocessableEntityError, { names: /is disabled/ });
        await rejection(() => connectedAccounts.setDefault(second), UnprocessableEntityError, { names: /is disabled/ });
        await connectedAccounts.enable(second);
        await tools.proxyExecute(DIRECT);
        assert.deepEqual(await connectedAccounts.clearDefault(second), { success: true });
        await refused();
        await connectedAccounts.setDefault(first);
        await connectedAccounts.delete(first);
        await refused();
        await rejection(() => connectedAccounts.setDefault('ca_none'), ComposioConnectedAccountNotFoundError);
      });

      it('sign with a changed credential', async () => {
        const id = await connect(gateway, 'rotating', 'old');
        await composio.connectedAccounts.update(id, { credential: { authScheme: 'API_KEY', val: { api_key: 'new' } } });
        await (await composio.create('rotating')).proxyExecute(CALL);
        assert.equal(upstream.last.headers['x-api-key'], 'new');
      });

      it('are connected at once with a complete credential', async () => {
        const config = { authScheme: 'API_KEY', val: { api_key: 'k', status: 'ACTIVE' } };
        const begun = await composio.connectedAccounts.initiate('ready', await keyed(), { config, alias: 'mine' });
        assert.deepEqual([begun.status, begun.redirectUrl], ['ACTIVE', null]);
        assert.equal((await begun.waitForConnection()).alias, 'mine');
      });

      it('are created by a link, once for a user and auth config', async () => {
        const authConfigId = await keyed();
        const { connectedAccounts } = composio;
        const { id, redirectUrl, linkToken, expiresAt } = await connectedAccounts.link('linking', authConfigId, {
          callbackUrl: 'https://app.example/done',
        });
        assert.match(`${redirectUrl}`, new RegExp(`/connect/${linkToken}$`));
        assert.ok(Date.parse(expiresAt ?? '') > Date.now());
        assert.equal((await connectedAccounts.get(id)).status, 'INITIALIZING');
        await rejection(() => connectedAccounts.waitForConnection(id, 10), ConnectionRequestTimeoutError, {
          code: 'TS-SDK::CONNECTION_REQUEST_TIMEOUT',
        });
        await connectedAccounts.revoke(id);
        const { statusReason } = await connectedAccounts.get(id);
        const { meta } = await rejection(() => connectedAccounts.waitForConnection(id), ConnectionRequestFailedError, {
          code: 'TS-SDK::CONNECTION_REQUEST_FAILED',
          names: /REVOKED/,
        });
        assert.deepEqual(meta, { connectedAccountId: id, status: 'REVOKED', statusReason });
        assert.notEqual(statusReason, null);

        const config = { authScheme: 'API_KEY', val: { api_key: 'k' } };
        await connectedAccounts.initiate('linking', authConfigId, { config });
        await rejection(() => connectedAccounts.link('linking', authConfigId), ComposioMultipleConnectedAccountsError, {
          code: 'TS-SDK::MULTIPLE_CONNECTED_ACCOUNTS',
          fix: /allowMultiple: true/,
        });
        await connectedAccounts.link('linking', authConfigId, { allowMultiple: true });
      });

      it('are created by the toolkit alone, with its newest enabled auth config', async () => {
        const { authConfigs, connectedAccounts, toolkits } = composio;
        const [used, disabled] = [await keyed(), await keyed()];
        await authConfigs.disable(disabled);
        const begun = await toolkits.authorize('by-toolkit', 'acme');
        assert.match(`${begun.redirectUrl}`, /\/connect\//);
        assert.equal((await connectedAccounts.get(begun.id)).authConfig.id, used);
        const config = AuthScheme.APIKey({ api_key: 'k' });
        await connectedAccounts.initiate('by-toolkit', used, { config });
        // A second account, with a named auth config.
        const { id } = await toolkits.authorize('by-toolkit', 'acme', used);
        assert.equal((await connectedAccounts.get(id)).authConfig.id, used);
        await rejection(() => toolkits.authorize('by-toolkit', 'gmail'), BadRequestError, {
          slug: 'ToolRouterV2_NoManagedAuth',
        });
        await rejection(() => toolkits.authorize('', 'acme'), ValidationError, { names: /`userId`/ });
        await authConfigs.delete(disabled);
      });

      it('are created in a session, and reconnected', async () => {
        const session = await composio.create('authorizing');
        const { id, redirectUrl, waitForConnection } = await session.authorize('acme_query', {
          callbackUrl: 'https://app.example/done',
          alias: 'mine',
        });
        assert.match(`${redirectUrl}`, /\/connect\/lt_/);
        const { connectedAccounts } = composio;
        const { alias, status, userId } = await connectedAccounts.get(id);
        assert.deepEqual([alias, status, userId], ['mine', 'INITIALIZING', 'authorizing']);
        const waiting = waitForConnection();
        const credential = { authScheme: 'API_KEY', val: { api_key: 'k' } };
        await connectedAccounts.update(id, { credential });
        assert.deepEqual([(await waiting).id, (await waiting).status], [id, 'ACTIVE']);

        await connectedAccounts.revoke(id);
        const again = await connectedAccounts.reconnect(id, { scopes: ['more'] });
        assert.deepEqual([again.id, (await connectedAccounts.get(id)).status], [id, 'INITIALIZING']);
        assert.notEqual(again.redirectUrl, redirectUrl);
        await rejection(() => session.authorize('acme_open'), BadRequestError, {
          slug: 'ToolRouterV2_ToolkitsIsNoAuth',
        });
        await rejection(() => session.authorize('acme_query', { callbackUrl: 'app://x' }), BadRequestError, {
          names: /callback_url/,
        });
        await rejection(() => session.authorize('acme_query', { callback: 'x' } as never), ValidationError);
        await rejection(() => connectedAccounts.reconnect('ca_none'), ComposioConnectedAccountNotFoundError);
      });

      it('are shared by users that their ACL allows, in sessions that pin them', async () => {
        const { connectedAccounts } = composio;
        const experimental = { accountType: 'SHARED', aclConfigForShared: { allowedUserIds: ['member'] } } as const;
        const acl = { allowAllUsers: false, allowedUserIds: ['member'], notAllowedUserIds: [] };
        const config = AuthScheme.APIKey({ api_key: 'of the team' });
        const credential = { authScheme: 'API_KEY', val: { api_key: 'of the team' } };
        const authConfigId = await keyed();
        const setup = await composio.create('sharer');
        const ids = [
          (await setup.authorize('acme', { experimental })).id,
          (await connectedAccounts.link('sharer', authConfigId, { experimental })).id,
          (await gateway.connectedAccounts.import({ userId: 'sharer', toolkit: 'acme', credential, experimental })).id,
          (await connectedAccounts.initiate('sharer', authConfigId, { config, experimental })).id,
        ];
        for (const id of ids) {
          const shown = (await connectedAccounts.get(id)).experimental;
          assert.deepEqual(shown, { accountType: 'SHARED', aclConfigForShared: acl });
        }
        const userIds = ['sharer'];
        assert.deepEqual((await connectedAccounts.list({ userIds })).items, []);
        for (const accountType of ['SHARED', 'ALL'] as const) {
          const { items } = await connectedAccounts.list({ userIds, accountType });
          assert.deepEqual(
            items.map(({ id }) => id),
            ids.toReversed(),
          );
        }
        const own = await connect(gateway, 'sharer');
        assert.deepEqual((await connectedAccounts.get(own)).experimental, { accountType: 'PRIVATE' });
        await connectedAccounts.delete(own);

        const [id = ''] = ids.slice(-1);
        await rejection(() => setup.proxyExecute(CALL), BadRequestError, { slug: 'ToolRouterV2_NoActiveConnection' });
        await setup.update({ connectedAccounts: { acme: id } });
        await setup.proxyExecute(CALL);
        const pinned = { connectedAccounts: { acme: [id] } };
        const session = await composio.create('member', pinned);
        await session.proxyExecute(CALL);
        assert.equal(upstream.last.headers['x-api-key'], 'of the team');
        const shown = async () => (await session.toolkits({ toolkits: ['acme'] })).items[0]?.connection;
        assert.deepEqual([(await shown())?.isActive, (await shown())?.connectedAccount?.id], [true, id]);
        await rejection(() => composio.create('stranger', pinned), BadRequestError, {
          slug: 'ToolRouterV2_InvalidConnectedAccountIds',
        });
        await rejection(
          () => composio.tools.proxyExecute({ ...DIRECT, connectedAccountId: id }),
          ComposioSharedAccessDeniedError,
          {
            slug: 'SharedAccessDenied',
          },
        );

        const changed = await connectedAccounts.updateAcl(id, { notAllowedUserIds: ['member'], allowAllUsers: true });
        assert.deepEqual(changed, { id, status: 'ACTIVE', success: true });
        await rejection(() => session.proxyExecute(CALL), ComposioSharedAccessDeniedError, {
          slug: 'SharedAccessDenied',
          names: new RegExp(`${id} does not allow user \`member\``),
        });
        assert.equal((await shown())?.isActive, false);
        await (await composio.create('stranger', pinned)).proxyExecute(CALL);
        await connectedAccounts.updateAcl(id, { notAllowedUserIds: [] });
        await session.proxyExecute(CALL);

        const foreign = await connect(gateway, 'private');
        await rejection(
          () => connectedAccounts.updateAcl(foreign, { allowAllUsers: true }),
          ComposioAclOnlyForSharedError,
          {
            names: /acl_config_for_shared is only valid on SHARED/,
          },
        );
        const [call] = await gateway.calls.list({ limit: 1 });
        assert.deepEqual([call?.userId, call?.connectedAccountId], ['member', id]);
      });

      it('are ensured in a session, and created only if there is none', async () => {
        const { connectedAccounts } = composio;
        const id = await connect(gateway, 'ensuring');
        const session = await composio.create('ensuring');
        const accounts = async () => (await connectedAccounts.list({ userIds: ['ensuring'] })).items;
        assert.deepEqual(await session.ensureConnected('acme'), {
          toolkit: 'acme',
          wasConnected: true,
          connectedAccount: { id, status: 'ACTIVE' },
        });
        assert.deepEqual(await session.ensureConnected('acme_open'), { toolkit: 'acme_open', wasConnected: true });
        assert.equal((await accounts()).length, 1);

        // The call is refused before any request, because the user has an account already.
        for (const wrong of [{ callback: 'x' }, { timeout: -1 }, { alias: '' }]) {
          await rejection(() => session.ensureConnected('acme', wrong as never), ValidationError);
        }
        await rejection(() => session.ensureConnected('nope'), ComposioToolkitNotFoundError, {
          slug: 'ToolkitNotFound',
        });

        const callbackUrl = 'https://app.example/done';
        const ensured = session.ensureConnected('acme_query', { callbackUrl, alias: 'mine' });
        await until('the account was begun', async () => (await accounts()).length === 2);
        const begun = (await accounts()).find(({ alias }) => alias === 'mine');
        assert.equal(begun?.status, 'INITIALIZING');
        const credential = { authScheme: 'API_KEY', val: { api_key: 'k' } };
        await connectedAccounts.update(begun.id, { credential });
        assert.deepEqual(await ensured, {
          toolkit: 'acme_query',
          wasConnected: false,
          connectedAccount: { id: begun.id, status: 'ACTIVE' },
        });
      });

      it('are ensured within a timeout, and until the signal is aborted', async () => {
        const session = await composio.create('unconnected');
        await rejection(() => session.ensureConnected('acme_query', { timeout: 10 }), ConnectionRequestTimeoutError);
        const begun = async () => (await composio.connectedAccounts.list({ userIds: ['unconnected'] })).totalItems;
        assert.equal(await begun(), 1);
        const reason = new Error('enough');
        const abort = new AbortController();
        const ensured = assert.rejects(session.ensureConnected('acme_query', {}, { signal: abort.signal }), reason);
        await until('the account was begun', async () => (await begun()) === 2);
        abort.abort(reason);
        await ensured;
        await assert.rejects(session.ensureConnected('acme_query', {}, { signal: abort.signal }), reason);
        assert.equal(await begun(), 2);
      });

      it('are waited for until the signal is aborted', async () => {
        const { id, waitForConnection } = await composio.connectedAccounts.link('waiting', await keyed());
        assert.match(id, /^ca_/);
        const reason = new Error('enough');
        const abort = new AbortController();
        setTimeout(() => abort.abort(reason), 50);
        await assert.rejects(waitForConnection(60_000, { signal: abort.signal }), reason);
      });

      it('refuse invalid arguments, before anything is sent', async () => {
        const { connectedAccounts } = composio;
        const wrong: [() => Promise<unknown>, RegExp][] = [
          [() => connectedAccounts.list({ user_ids: ['ann'] } as never), /did you mean `userIds`\?/],
          [() => connectedAccounts.list({ userIds: ['a,b'] }), /`userIds\[0\]` has a comma/],
          [() => connectedAccounts.list({ limit: 1_001 }), /`limit` must be a whole number from 1 to 1000/],
          [() => connectedAccounts.get('..'), /id cannot consist of dots/],
          [() => connectedAccounts.updateStatus('ca_1', {} as never), /`enabled` must be true or false/],
          [() => connectedAccounts.update('ca_1', { allias: 'x' } as never), /did you mean `alias`\?/],
          [() => connectedAccounts.updateAcl('ca_1', {}), /The argument changes nothing/],
          [() => connectedAccounts.updateAcl('ca_1', { allowAll: true } as never), /did you mean `allowAllUsers`\?/],
          [() => connectedAccounts.updateAcl('ca_1', { allowedUserIds: [''] }), /`allowedUserIds\[0\]` must be/],
          [
            () => connectedAccounts.link('ann', 'ac_1', { experimental: { accountType: 'ALL' as never } }),
            /`experimental.accountType` cannot be 'ALL'/,
          ],
          [() => connectedAccounts.link('', 'ac_1'), /`userId` must be a non-empty string/],
          [() => connectedAccounts.link('ann', 'ac_1', { callbackURL: 'x' } as never), /did you mean `callbackUrl`\?/],
          [() => connectedAccounts.initiate('ann', 'ac_1', { config: {} as never }), /`config.authScheme` is missing/],
          [() => connectedAccounts.waitForConnection('ca_1', -1), /`timeout` must be/],
          [() => connectedAccounts.get('ca_1', { retries: 1 } as never), /Unknown key `retries`/],
        ];
        for (const [call, names] of wrong) await rejection(call, ValidationError, { names });
      });
    });

    describe('auth configs', () => {
      it('are created, read, listed, changed, disabled, enabled and deleted', async () => {
        const { authConfigs } = composio;
        const made = await authConfigs.create('acme', {
          type: 'use_custom_auth',
          authScheme: 'BASIC',
          name: 'By word',
        });
        assert.deepEqual(made, { id: made.id, authScheme: 'BASIC', isComposioManaged: false, toolkit: 'acme' });
        const { name, status, expectedInputFields, noOfConnections } = await authConfigs.get(made.id);
        assert.deepEqual([name, status, noOfConnections], ['By word', 'ENABLED', 0]);
        const isSecret = Object.fromEntries(expectedInputFields.map((field) => [field.name, field.isSecret]));
        assert.deepEqual(isSecret, { username: false, password: true });
        await authConfigs.update(made.id, { type: 'custom', name: 'By password' });
        const found = await authConfigs.list({ toolkit: 'acme', search: 'By pass', isComposioManaged: false });
        assert.deepEqual([found.items.map(({ id }) => id), found.totalItems], [[made.id], 1]);
        await authConfigs.disable(made.id);
        assert.equal((await authConfigs.list({ search: 'By pass' })).totalItems, 0);
        assert.equal((await authConfigs.list({ search: 'By pass', showDisabled: true })).items[0]?.status, 'DISABLED');
        await authConfigs.enable(made.id);
        await authConfigs.delete(made.id);
        await rejection(() => authConfigs.get(made.id), ComposioAuthConfigNotFoundError);
      });

      it('have no managed client in a gateway', async () => {
        await rejection(() => composio.authConfigs.create('acme'), BadRequestError, { fix: /use_custom_auth/ });
      });

      it('refuse invalid arguments', async () => {
        const { authConfigs } = composio;
        const custom = { type: 'use_custom_auth' } as never;
        await rejection(() => authConfigs.create('acme', custom), ValidationError, {
          names: /`authScheme` is missing/,
        });
        await rejection(() => authConfigs.list({ toolkits: 'x' } as never), ValidationError, { names: /`toolkit`\?/ });
        await rejection(() => authConfigs.updateStatus('OFF' as never, 'ac_1'), ValidationError, {
          names: /'ENABLED'/,
        });
        await rejection(() => authConfigs.update('ac_1', {} as never), ValidationError, { names: /`type` is missing/ });
      });
    });

    describe('toolkits', () => {
      it('are listed, searched and read', async () => {
        const all = await composio.toolkits.list();
        assert.ok(all.totalItems > 30 && all.items.length === all.totalItems);
        const { items } = await composio.toolkits.list({ search: 'acme,' });
        assert.deepEqual(
          items.map(({ slug, noAuth }) => [slug, noAuth]),
          [
            ['acme_open', true],
            ['acme_query', false],
          ],
        );
        assert.deepEqual(await composio.toolkits.get({ search: 'acme,' }), items);
        const acme = await composio.toolkits.get('acme');
        assert.equal(acme.baseUrl, `${upstream.origin}/base`);
        assert.ok(acme.authConfigDetails.some(({ mode }) => mode === 'API_KEY'));
        await rejection(() => composio.toolkits.get('nope'), ComposioToolkitNotFoundError, { names: /nope/ });
      });

      it('of a session come with the account that a call would use', async () => {
        const id = await connect(gateway, 'owner');
        const session = await composio.create('owner', { toolkits: ['acme', 'acme_open', 'acme_query'] });
        const { items, totalItems, nextCursor } = await session.toolkits();
        assert.deepEqual([totalItems, nextCursor], [3, null]);
        const [acme, open, query] = items;
        const { authConfig } = await composio.connectedAccounts.get(id);
        assert.deepEqual(acme, {
          slug: 'acme',
          name: 'Acme',
          logo: '',
          isNoAuth: false,
          connection: {
            isActive: true,
            authConfig: { id: authConfig.id, mode: 'API_KEY', isComposioManaged: false },
            connectedAccount: { id, status: 'ACTIVE' },
          },
        });
        assert.deepEqual([open?.isNoAuth, open?.connection], [true, undefined]);
        assert.deepEqual(query?.connection, { isActive: false, authConfig: null });
        const slugs = async (filter: Parameters<typeof session.toolkits>[0]) =>
          (await session.toolkits(filter)).items.map(({ slug }) => slug);
        assert.deepEqual(await slugs({ isConnected: true }), ['acme']);
        assert.deepEqual(await slugs({ toolkits: ['github'] }), ['github']);
        assert.deepEqual(await slugs({ search: 'query' }), ['acme_query']);
        const page = await session.toolkits({ limit: 2 });
        assert.equal(page.cursor, page.nextCursor);
        assert.deepEqual(await slugs({ limit: 2, cursor: page.cursor }), ['acme_query']);
        await rejection(() => session.toolkits({ limit: 51 }), ValidationError);
      });
    });

    it('sessions are changed in the version that the change is based on', async () => {
      const session = await composio.create('versions', { toolkits: ['acme'] });
      const other = await composio.use(session.sessionId);
      assert.equal(session.configVersion, 1);
      await other.update({ toolkits: null, expectedConfigVersion: 1 });
      assert.equal(other.configVersion, 2);
      await rejection(
        () => session.update({ toolkits: [], expectedConfigVersion: 1 }),
        ComposioSessionConfigConflictError,
        {
          names: /config_version 2, not 1 as expected/,
        },
      );
      await session.update({ toolkits: ['acme'] });
      assert.equal(session.configVersion, 3);
      await rejection(() => session.update({ toolkits: [], expectedConfigVersion: 0 }), ValidationError);
    });

    it('sessions are opened, used and deleted by their id', async () => {
      const { sessionId } = await composio.sessions.create('ann', { toolkits: ['acme'] });
      assert.equal((await composio.sessions.use(sessionId)).userId, 'ann');
      assert.deepEqual(await composio.sessions.delete(sessionId), { sessionId, deleted: true });
      await rejection(() => composio.sessions.delete(sessionId), NotFoundError);
    });

    it('an aborted request rejects with the reason of its signal', async () => {
      const reason = new Error('no longer');
      const signal = AbortSignal.abort(reason);
      for (const call of [
        () => composio.connectedAccounts.list({}, { signal }),
        () => composio.authConfigs.list({}, { signal }),
        () => composio.toolkits.get('acme', { signal }),
      ]) {
        await assert.rejects(call, reason);
      }
    });
  });
}
