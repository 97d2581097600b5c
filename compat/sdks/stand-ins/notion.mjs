/** Notion's API: pages, data sources and file uploads. https://developers.notion.com/reference */

import assert from 'node:assert/strict';

const token = 'ntn_the-token-of-ann';
const pages = ['Plan', 'Notes', 'Budget'].map((title, i) => ({ object: 'page', id: `page-${i + 1}`, title }));

/** Every request names the version of the API that it was written for. */
const versioned = (handle) => (request) => {
  assert.match(request.headers['notion-version'] ?? '', /^\d{4}-\d\d-\d\d$/);
  return handle(request);
};

const routes = {
  'POST /v1/pages'(request) {
    const { parent, properties } = request.json();
    assert.equal(typeof parent.page_id, 'string');
    return { object: 'page', id: 'page-4', url: 'https://www.notion.so/page-4', properties };
  },
  'POST /v1/data_sources/:id/query'(request) {
    const { start_cursor = '0', page_size = 100 } = request.json();
    const end = Number(start_cursor) + page_size;
    const more = end < pages.length;
    return {
      object: 'list',
      results: pages.slice(Number(start_cursor), end),
      has_more: more,
      next_cursor: more ? `${end}` : null,
    };
  },
  'GET /v1/pages/:id': ({ params: { id } }) =>
    pages.find((page) => page.id === id) ?? {
      status: 404,
      body: { object: 'error', status: 404, code: 'object_not_found', message: `Could not find page with ID: ${id}.` },
    },
  async 'POST /v1/file_uploads/:id/send'(request) {
    const file = (await request.multipart()).get('file');
    return { object: 'file_upload', id: request.params.id, status: 'uploaded', content_length: file.size };
  },
};

export const notion = {
  slug: 'notion',
  origins: ['https://api.notion.com'],
  account: { authScheme: 'BEARER_TOKEN', val: { token } },
  credential: { authorization: `Bearer ${token}` },
  refusal: { object: 'error', status: 401, code: 'unauthorized', message: 'API token is invalid.' },
  routes: Object.fromEntries(Object.entries(routes).map(([route, handle]) => [route, versioned(handle)])),
};
