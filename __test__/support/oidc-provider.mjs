/**
 * A real authorization server in its own process: oidc-provider with rotating refresh tokens and reuse detection,
 * and an API that accepts its access tokens. It prints its origin. Tests control it over `/control/…`:
 *
 * - POST /control/grant { user, scope? } → { access_token, refresh_token, expires_in }, as if the user had consented
 * - POST /control/settings { lifetime?, hold? } — lifetime of access tokens in seconds; handling of token requests:
 *   `before` holds them, `after` carries them out and holds the response, null sends the response
 * - POST /control/revoke { refresh_token } — the user revokes the grant
 * - GET /control/events → the events so far, see `events` below
 *
 * The pages behind /auth are the development pages of oidc-provider: any login, any password.
 */

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';

import { Provider } from 'oidc-provider';

const SCOPE = 'openid offline_access profile read';

const client = {
  // A native client may use any port of this machine as its redirect URI (RFC 8252 §7.3).
  application_type: 'native',
  redirect_uris: ['http://127.0.0.1/connect/callback', 'http://localhost/connect/callback'],
  response_types: ['code'],
  grant_types: ['authorization_code', 'refresh_token'],
};

const settings = { lifetime: 3600, hold: null };

const events = {
  /** Token requests by their grant type, with those that are held. */
  asked: {},
  /** The number of granted token requests, and of refresh tokens that they rotated. */
  granted: 0,
  rotated: 0,
  /** Refresh tokens that were spent twice; the provider then revokes the whole grant. */
  reused: 0,
  /** The errors of all other token requests. */
  errors: [],
  /** Revoked tokens (RFC 7009), by their kind. */
  revoked: [],
  /** Token requests that are held right now. */
  held: 0,
  /** By user: the number of granted refreshes, and of those refused because their token was spent. */
  users: {},
  /** The number of waiting requests to /api/hold. */
  waiting: 0,
  /** From the rotation of a refresh token to the first use of the access token that came with it, in milliseconds. */
  windows: [],
};

/** When a user's refresh token was rotated. */
const rotatedAt = new Map();

function user(name) {
  events.users[name] ??= { granted: 0, reused: 0 };
  return events.users[name];
}

const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const origin = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(origin, {
  clients: [
    { ...client, client_id: 'acme', client_secret: 'acme-secret', token_endpoint_auth_method: 'client_secret_post' },
    {
      ...client,
      client_id: 'acme_basic',
      client_secret: 'acme basic+secret',
      token_endpoint_auth_method: 'client_secret_basic',
    },
    {
      client_id: 'machine',
      client_secret: 'machine-secret',
      token_endpoint_auth_method: 'client_secret_post',
      redirect_uris: [],
      response_types: [],
      grant_types: ['client_credentials'],
      scope: 'read',
    },
  ],
  scopes: ['openid', 'offline_access', 'profile', 'read'],
  cookies: { keys: [randomBytes(32).toString('hex')] },
  features: {
    devInteractions: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true },
    clientCredentials: { enabled: true },
    registration: { enabled: true },
  },
  rotateRefreshToken: true,
  issueRefreshToken: (_, oauthClient) => oauthClient.grantTypeAllowed('refresh_token'),
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  ttl: {
    AccessToken: () => settings.lifetime,
    ClientCredentials: () => settings.lifetime,
    AuthorizationCode: 60,
    Grant: 86_400,
    IdToken: 3600,
    Interaction: 3600,
    RefreshToken: 86_400,
    Session: 86_400,
  },
});

provider.on('grant.success', (context) => {
  events.granted++;
  const { RotatedRefreshToken } = context.oidc.entities;
  if (RotatedRefreshToken === undefined) return;
  events.rotated++;
  user(RotatedRefreshToken.accountId).granted++;
  rotatedAt.set(RotatedRefreshToken.accountId, performance.now());
});
provider.on('grant.error', (context, error) => {
  if (error.error_detail === 'refresh token already used') {
    events.reused++;
    user(context.oidc.entities.RefreshToken.accountId).reused++;
  } else events.errors.push(`${error.error}: ${error.error_detail ?? error.error_description}`);
});

// The control, the holding of requests and the API come before the provider's own pages.
provider.use(async (context, next) => {
  if (context.path === '/token') return token(context, next);
  if (context.path.startsWith('/control/')) {
    const body = await text(context.req);
    context.body = await control[context.path.slice('/control/'.length)](body === '' ? {} : JSON.parse(body));
    return;
  }
  if (context.path.startsWith('/api/')) return api(context);
  await next();
  if (context.path === '/token/revocation') {
    const { AccessToken, RefreshToken } = context.oidc.entities;
    if (RefreshToken !== undefined) events.revoked.push('refresh_token');
    else if (AccessToken !== undefined) events.revoked.push('access_token');
  }
});

async function token(context, next) {
  const released = () =>
    new Promise((resolve) => {
      events.held++;
      const timer = setInterval(() => {
        const gone = context.req.socket.destroyed;
        if (settings.hold !== null && !gone) return;
        clearInterval(timer);
        events.held--;
        resolve(gone);
      }, 1);
    });
  if (settings.hold === 'before' && (await released())) return;
  await next();
  const { grant_type: grant = 'none' } = context.oidc?.params ?? {};
  events.asked[grant] = (events.asked[grant] ?? 0) + 1;
  if (settings.hold === 'after') await released();
}

const control = {
  settings: (changes) => Object.assign(settings, changes),
  events: () => events,
  async grant({ user, scope = SCOPE, clientId = 'acme' }) {
    const grant = new provider.Grant({ accountId: user, clientId });
    grant.addOIDCScope(scope);
    const common = {
      accountId: user,
      client: await provider.Client.find(clientId),
      grantId: await grant.save(),
      gty: 'authorization_code',
      scope,
    };
    return {
      access_token: await new provider.AccessToken(common).save(),
      refresh_token: await new provider.RefreshToken(common).save(),
      expires_in: settings.lifetime,
      token_type: 'Bearer',
      scope,
    };
  },
  async revoke({ refresh_token: value }) {
    const refreshToken = await provider.RefreshToken.find(value);
    await refreshToken.destroy();
    return {};
  },
};

/** Returns the user of the access token; /api/hold does not respond. */
async function api(context) {
  const [, value = ''] = /^Bearer (.+)$/.exec(context.get('authorization')) ?? [];
  const found = (await provider.AccessToken.find(value)) ?? (await provider.ClientCredentials.find(value));
  if (found === undefined) {
    context.status = 401;
    context.set('www-authenticate', 'Bearer error="invalid_token"');
    context.body = { error: 'invalid_token' };
    return;
  }
  const rotated = rotatedAt.get(found.accountId);
  if (rotated !== undefined) events.windows.push(performance.now() - rotated);
  rotatedAt.delete(found.accountId);
  if (context.path === '/api/hold') {
    events.waiting++;
    await once(context.req.socket, 'close');
    events.waiting--;
  }
  context.body = { user: found.accountId ?? found.clientId, scope: found.scope, path: context.path };
}

server.on('request', provider.callback());
process.stdout.write(`${origin}\n`);
// The test that started this process holds its input open. The process ends with the input.
process.stdin.resume().on('end', () => process.exit(0));
