/** Twilio's API: messages. https://www.twilio.com/docs/messaging/api/message-resource */

import assert from 'node:assert/strict';

const username = 'AC00000000000000000000000000000001';
const password = 'the-auth-token-of-ann';
const messages = ['one', 'two', 'three'].map((body, i) => ({ sid: `SM${i + 1}`, body, status: 'delivered' }));

export const twilio = {
  slug: 'twilio',
  origins: ['https://api.twilio.com'],
  account: { authScheme: 'BASIC', val: { username, password } },
  credential: { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` },
  refusal: { code: 20003, message: 'Authenticate', status: 401 },
  routes: {
    'POST /2010-04-01/Accounts/:account/Messages.json'(request) {
      const { To, From, Body } = request.form();
      assert.deepEqual([To, From], ['+4915112345678', '+4930123456']);
      return { status: 201, body: { sid: 'SM4', to: To, from: From, body: Body, status: 'queued' } };
    },
    'GET /2010-04-01/Accounts/:account/Messages.json'({ path, query }) {
      const size = Number(query.get('PageSize') ?? 50);
      const page = Number(query.get('Page') ?? 0);
      const next = `${path}?PageSize=${size}&Page=${page + 1}&PageToken=PA${page + 1}`;
      return {
        messages: messages.slice(page * size, (page + 1) * size),
        page,
        page_size: size,
        next_page_uri: (page + 1) * size < messages.length ? next : null,
      };
    },
    'GET /2010-04-01/Accounts/:account/Messages/:message': ({ path }) => ({
      status: 404,
      body: { code: 20404, message: `The requested resource ${path} was not found`, status: 404 },
    }),
  },
};
