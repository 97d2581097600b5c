/** Linear's GraphQL API: the viewer, issues, and an issue that is created. https://linear.app/developers/graphql */

import assert from 'node:assert/strict';

const key = 'lin_api_the-key-of-ann';
const date = '2026-11-27T12:00:00.000Z';
const sharedAccess = { isShared: false, sharedWithCount: 0, sharedWithUsers: [] };
const issues = ['Crash', 'Typo', 'Leak'].map((title, i) => ({
  id: `issue-${i + 1}`,
  title,
  createdAt: date,
  updatedAt: date,
  sharedAccess,
  reactions: [],
}));

const operations = {
  viewer: () => ({ viewer: { id: 'user-1', name: 'Ann', email: 'ann@example.com', createdAt: date, updatedAt: date } }),
  issues({ first = 50, after = '0' }) {
    const end = Number(after) + first;
    const pageInfo = {
      hasNextPage: end < issues.length,
      endCursor: `${end}`,
      hasPreviousPage: false,
      startCursor: '0',
    };
    return { issues: { nodes: issues.slice(Number(after), end), pageInfo } };
  },
  createIssue({ input }) {
    assert.equal(input.teamId, 'team-1');
    return { issueCreate: { success: true, lastSyncId: 1, issue: { id: 'issue-4' } } };
  },
};

export const linear = {
  slug: 'linear',
  origins: ['https://api.linear.app'],
  account: { authScheme: 'API_KEY', val: { api_key: key } },
  credential: { authorization: key },
  refusal: { errors: [{ message: 'Authentication required', extensions: { type: 'authentication error' } }] },
  routes: {
    'POST /graphql'(request) {
      const { query, variables = {} } = request.json();
      const [, name] = /^\s*(?:query|mutation) (\w+)/.exec(query) ?? [];
      if (name === 'issue') {
        const extensions = {
          type: 'invalid input',
          code: 'INPUT_ERROR',
          userPresentableMessage: 'Could not find issue.',
        };
        return { errors: [{ message: 'Entity not found: Issue', path: ['issue'], extensions }], data: null };
      }
      assert.ok(name in operations, `there is no operation ${name}`);
      return { data: operations[name](variables) };
    },
  },
};
