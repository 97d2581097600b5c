import { expect, it } from 'vitest';
import { call } from './call.mjs';

it('makes a call beside the globals of a browser', async () => {
  expect(typeof window).toBe('object');
  expect(await call()).toBe('200 {"ok":true}');
});
