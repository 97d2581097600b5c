/** GitHub's REST API: issues and release assets. https://docs.github.com/en/rest */

import assert from 'node:assert/strict';

const token = 'gho_the-token-of-ann';
const issues = Array.from({ length: 5 }, (_, i) => ({ number: i + 1, title: `Issue ${i + 1}`, state: 'open' }));

const notFound = { message: 'Not Found', documentation_url: 'https://docs.github.com/rest', status: '404' };

/** A page of the issues, with the `Link` header that leads on. */
function list({ headers, query }) {
  assert.match(headers.accept, /application\/vnd\.github/);
  const size = Number(query.get('per_page') ?? 30);
  const page = Number(query.get('page') ?? 1);
  const next = `http://${headers.host}/repositories/1/issues?per_page=${size}&page=${page + 1}`;
  return {
    status: 200,
    headers: page * size < issues.length ? { link: `<${next}>; rel="next", <${next}>; rel="last"` } : {},
    body: issues.slice((page - 1) * size, page * size),
  };
}

export const github = {
  slug: 'github',
  origins: ['https://api.github.com', 'https://uploads.github.com'],
  account: { authScheme: 'BEARER_TOKEN', val: { token } },
  credential: { authorization: `Bearer ${token}` },
  routes: {
    'POST /repos/:owner/:repo/issues'(request) {
      const { title, labels = [] } = request.json();
      assert.equal(typeof title, 'string');
      return { status: 201, body: { number: 6, title, labels: labels.map((name) => ({ name })), state: 'open' } };
    },
    'GET /repos/:owner/:repo/issues': list,
    'GET /repositories/:id/issues': list,
    'GET /repos/:owner/:repo/issues/:number': ({ params: { number } }) =>
      issues.find((issue) => issue.number === Number(number)) ?? { status: 404, body: notFound },
    'POST /repos/:owner/:repo/releases/:id/assets'({ headers, query, body }) {
      assert.equal(headers['content-type'], 'application/zip');
      assert.equal(headers['content-length'], `${body.length}`);
      return { status: 201, body: { id: 1, name: query.get('name'), size: body.length, state: 'uploaded' } };
    },
  },
};
