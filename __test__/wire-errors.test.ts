/**
 * The same mistake has the same sentence in process and over HTTP, with the field and the advice.
 */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Composio, ComposioError, Gateway, type ProxyExecuteRequest, type Session, ValidationError } from '../index.js';

const CALL = { toolkit: 'github', endpoint: '/user', method: 'GET' };

/** Faulty calls: the form in process, and the form on the wire if it differs. */
const CALLS: Record<string, { given: object; wire?: object; without?: string }> = {
  'no endpoint': { given: {}, without: 'endpoint' },
  'no method': { given: {}, without: 'method' },
  'no toolkit': { given: {}, without: 'toolkit' },
  'an empty toolkit': { given: { toolkit: '' } },
  'an empty endpoint': { given: { endpoint: '' } },
  'an endpoint that is a number': { given: { endpoint: 5 } },
  'an endpoint that is null': { given: { endpoint: null } },
  'an endpoint that is a list': { given: { endpoint: [] } },
  'a method in lower case': { given: { method: 'post' } },
  'an unknown method': { given: { method: 'FETCH' } },
  'parameters that are an object': { given: { parameters: { accept: 'text/plain' } } },
  'parameters that are a string': { given: { parameters: 'accept' } },
  'a parameter that is a string': { given: { parameters: ['accept'] } },
  'a parameter that is null': { given: { parameters: [null] } },
  'a key that is nearly one': { given: { metod: 'GET' } },
  'a key of other libraries': { given: { data: {} } },
  'another key of other libraries': { given: { path: '/' } },
};

const SESSIONS: Record<string, { user?: unknown; given?: object; wire?: object }> = {
  'no user': { user: undefined },
  'an empty user': { user: '' },
  'a user that is a number': { user: 5 },
  'toolkits that are a number': { given: { toolkits: 5 } },
  'toolkits that are a string': { given: { toolkits: 'github' } },
  'toolkits without a choice': { given: { toolkits: {} } },
  'toolkits with both choices': { given: { toolkits: { enable: ['github'], disable: ['slack'] } } },
  'enabled toolkits that are a string': { given: { toolkits: { enable: 'github' } } },
  'an enabled toolkit that is a number': { given: { toolkits: { enable: [5] } } },
  'a toolkit in a list that is a number': { given: { toolkits: [5] } },
  'pins that are a list': { given: { connectedAccounts: [] }, wire: { connected_accounts: [] } },
  'a pin that is a number': {
    given: { connectedAccounts: { github: 5 } },
    wire: { connected_accounts: { github: 5 } },
  },
  'an auth config that is a number': { given: { authConfigs: { github: 5 } }, wire: { auth_configs: { github: 5 } } },
  'a key that is nearly one': { given: { toolkit: [] } },
};

let gateway: Gateway;
let session: Session;
let baseURL: string;
let apiKey: string;

before(async () => {
  gateway = await Gateway.open();
  ({ url: baseURL } = await gateway.listen());
  ({ key: apiKey } = await gateway.apiKeys.create({ name: 'test' }));
  session = await new Composio({ gateway }).create('user_1');
});

after(() => gateway.close());

/** A sentence with the wire's names for the fields of a call and of a session. */
function asOnTheWire(sentence: string): string {
  return sentence
    .replace(/^`toolkit`/, '`toolkit_slug`')
    .replace('`userId`', '`user_id`')
    .replace('`connectedAccounts', '`connected_accounts')
    .replace('`authConfigs', '`auth_configs');
}

async function sentences(call: () => Promise<unknown>): Promise<readonly string[]> {
  const error = await call().then(
    () => assert.fail('it was taken'),
    (error: unknown) => error,
  );
  assert.ok(error instanceof ValidationError, `${error}`);
  return error.errors;
}

async function onTheWire(path: string, request: object) {
  const response = await fetch(`${baseURL}/api/v3.1/tool_router/session${path}`, {
    method: 'POST',
    headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
    body: JSON.stringify(request),
  });
  const { error } = (await response.json()) as { error: Record<string, unknown> };
  assert.equal(response.status, 400, JSON.stringify(error));
  const { message, suggested_fix: fix, errors } = error;
  assert.ok(Array.isArray(errors) && typeof message === 'string');
  assert.ok(fix === undefined || (typeof fix === 'string' && message.endsWith(fix)), JSON.stringify(error));
  return { message, fix, errors: errors as string[] };
}

describe('the same words in process and over HTTP', () => {
  for (const [what, { given, wire = given, without }] of Object.entries(CALLS)) {
    it(`a call with ${what}`, async () => {
      const request: Record<string, unknown> = { ...CALL, ...given };
      const { toolkit, ...rest } = { ...CALL, ...wire } as Record<string, unknown>;
      const written: Record<string, unknown> = { toolkit_slug: toolkit, ...rest };
      if (without !== undefined) {
        delete request[without];
        delete written[without === 'toolkit' ? 'toolkit_slug' : without];
      }
      const [sentence = ''] = await sentences(() => session.proxyExecute(request as unknown as ProxyExecuteRequest));
      const { errors } = await onTheWire(`/${session.sessionId}/proxy_execute`, written);
      assert.deepEqual(errors, [asOnTheWire(sentence)]);
    });
  }

  for (const [what, { given = {}, wire = given, ...rest }] of Object.entries(SESSIONS)) {
    it(`a session with ${what}`, async () => {
      const user = 'user' in rest ? rest.user : 'user_1';
      const [sentence = ''] = await sentences(() => new Composio({ gateway }).create(user as string, given));
      const { errors } = await onTheWire('', { user_id: user, ...wire });
      assert.deepEqual(errors, [asOnTheWire(sentence)]);
    });
  }

  it('a client shows the advice once', async () => {
    const remote = new Composio({ baseURL, apiKey });
    for (const composio of [remote, new Composio({ gateway })]) {
      const error = await composio.use('trs_none').then(
        () => assert.fail('it was taken'),
        (error: unknown) => error,
      );
      assert.ok(error instanceof ComposioError);
      assert.equal(error.suggestedFix, 'Create one with composio.create().');
      assert.equal(error.message.split(error.suggestedFix).length, 2, error.message);
      assert.equal(
        error.message,
        'Session `trs_none` was deleted, or never existed. Create one with composio.create().',
      );
    }
  });
});
