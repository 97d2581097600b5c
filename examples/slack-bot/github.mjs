/** A stand-in of GitHub on this machine: OAuth, and `GET /user` of its API. */

import { randomBytes } from 'node:crypto';
import { json, serve } from './server.mjs';

const USERS = {
  'ann-arbor': { login: 'ann-arbor', public_repos: 8 },
  'ben-and-co': { login: 'ben-and-co', public_repos: 3 },
};

/** Starts it. Its users sign in with the cookie `user`. */
export async function startGithub() {
  const secret = () => randomBytes(16).toString('hex');
  const app = { clientId: 'Iv1.0123456789abcdef', clientSecret: secret(), redirectUris: [] };
  const codes = new Map();
  const tokens = new Map();

  /** The page of consent, on which the user agrees at once. */
  function authorize({ url: { searchParams }, headers }) {
    const redirectUri = searchParams.get('redirect_uri');
    const user = /(?:^|; )user=([\w-]+)/.exec(headers.cookie ?? '')?.[1];
    if (!USERS[user]) return { status: 401, body: 'Sign in first.' };
    if (searchParams.get('client_id') !== app.clientId || !app.redirectUris.includes(redirectUri)) {
      return { status: 404 };
    }
    const code = secret();
    codes.set(code, user);
    const back = new URL(redirectUri);
    back.searchParams.set('code', code);
    back.searchParams.set('state', searchParams.get('state'));
    return { status: 302, headers: { location: back.href } };
  }

  /** A token for a code, once. GitHub reports a failure with status 200, too. */
  function access({ body }) {
    const form = new URLSearchParams(body.toString());
    if (form.get('client_id') !== app.clientId || form.get('client_secret') !== app.clientSecret) {
      return { error: 'incorrect_client_credentials' };
    }
    const user = codes.get(form.get('code'));
    codes.delete(form.get('code'));
    if (!user) return { error: 'bad_verification_code' };
    const token = `gho_${secret()}`;
    tokens.set(token, user);
    return { access_token: token, token_type: 'bearer', scope: 'read:user' };
  }

  const server = await serve((request) => {
    const route = `${request.method} ${request.url.pathname}`;
    if (route === 'GET /login/oauth/authorize') return authorize(request);
    if (route === 'POST /login/oauth/access_token') return json(access(request));
    if (route !== 'GET /user') return json({ message: 'Not Found' }, 404);
    const user = tokens.get(/^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]);
    return user ? json(USERS[user]) : json({ message: 'Bad credentials' }, 401);
  });

  return {
    app,
    host: server.host,
    url: server.url,
    close: server.close,
    /** The definition of the toolkit, which replaces the built-in one. */
    toolkit: {
      slug: 'github',
      name: 'GitHub, on this machine',
      base_url: server.url,
      schemes: {
        OAUTH2: {
          headers: { Authorization: 'Bearer {{access_token}}' },
          authorization_server: {
            authorize_url: `${server.url}/login/oauth/authorize`,
            token_url: `${server.url}/login/oauth/access_token`,
          },
        },
      },
    },
  };
}
