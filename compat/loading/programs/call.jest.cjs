const { call } = require('./bundled-for-jest.cjs');

it('makes a call beside the globals of a browser', async () => {
  expect(typeof setInterval(() => {}, 1e9)).toBe('number');
  expect(await call()).toBe('200 {"ok":true}');
});
