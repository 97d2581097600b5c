/** Google Drive's API: files, their content and uploads. https://developers.google.com/drive/api/reference/rest/v3 */

import assert from 'node:assert/strict';

const token = 'ya29.the-token-of-ann';
const files = ['plan.md', 'notes.pdf', 'photo.jpg'].map((name, i) => ({ kind: 'drive#file', id: `${i + 1}`, name }));
/** A file's content, which is not text in any encoding. */
export const content = Buffer.from([0x25, 0x50, 0x44, 0x46, 0x00, 0xff, 0xfe, 0x80]);

export const drive = {
  slug: 'googledrive',
  origins: ['https://www.googleapis.com'],
  path: '/drive/v3',
  account: { authScheme: 'BEARER_TOKEN', val: { token } },
  credential: { authorization: `Bearer ${token}` },
  refusal: { error: { code: 401, message: 'Invalid Credentials', status: 'UNAUTHENTICATED' } },
  routes: {
    'GET /drive/v3/files'({ query }) {
      const start = Number(query.get('pageToken') ?? 0);
      const end = start + Number(query.get('pageSize') ?? 100);
      const more = end < files.length ? { nextPageToken: `${end}` } : {};
      return { kind: 'drive#fileList', files: files.slice(start, end), ...more };
    },
    'GET /drive/v3/files/:id'({ params: { id }, query }) {
      if (id === '404') {
        const message = 'File not found: 404.';
        const errors = [{ domain: 'global', reason: 'notFound', message }];
        return { status: 404, body: { error: { code: 404, message, errors } } };
      }
      if (query.get('alt') !== 'media') return files[Number(id) - 1];
      return { status: 200, headers: { 'content-type': 'application/pdf' }, body: content };
    },
    'POST /upload/drive/v3/files'(request) {
      assert.equal(request.query.get('uploadType'), 'multipart');
      const [metadata, media] = request.related();
      assert.equal(metadata.type, 'application/json');
      const { name } = JSON.parse(metadata.text);
      return { kind: 'drive#file', id: '4', name, mimeType: media.type, size: `${media.text.length}` };
    },
  },
};
