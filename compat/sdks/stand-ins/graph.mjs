/** Microsoft Graph: mail, and files of OneDrive. https://learn.microsoft.com/en-us/graph/api/overview */

import assert from 'node:assert/strict';

const token = 'eyJ.the-token-of-ann';
const messages = ['Plan', 'Notes', 'Budget'].map((subject, i) => ({ id: `${i + 1}`, subject }));

export const graph = {
  slug: 'outlook',
  origins: ['https://graph.microsoft.com'],
  path: '/v1.0',
  account: { authScheme: 'BEARER_TOKEN', val: { token } },
  credential: { authorization: `Bearer ${token}` },
  refusal: { error: { code: 'InvalidAuthenticationToken', message: 'Access token is empty.' } },
  routes: {
    'GET /v1.0/me/messages'({ query }) {
      const start = Number(query.get('$skip') ?? 0);
      const end = start + Number(query.get('$top') ?? 10);
      const next = `https://graph.microsoft.com/v1.0/me/messages?$select=subject&$top=${query.get('$top')}&$skip=${end}`;
      return { value: messages.slice(start, end), ...(end < messages.length && { '@odata.nextLink': next }) };
    },
    'POST /v1.0/me/sendMail'(request) {
      const { message } = request.json();
      assert.equal(message.toRecipients[0].emailAddress.address, 'bea@example.com');
      return { status: 202 };
    },
    'PUT /v1.0/me/drive/root:/notes.bin:/content'({ headers, body }) {
      assert.equal(headers['content-type'], 'application/octet-stream');
      return { status: 201, body: { id: 'item-1', name: 'notes.bin', size: body.length } };
    },
    'GET /v1.0/me/messages/:id': () => ({
      status: 404,
      body: { error: { code: 'ErrorItemNotFound', message: 'The specified object was not found in the store.' } },
    }),
  },
};
