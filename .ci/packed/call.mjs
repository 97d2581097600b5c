/** The package from ESM. */

import { createRequire } from 'node:module';
import * as proxyExecute from 'proxy-execute';
import callOnce from './call-once.cjs';

await callOnce.callOnce(proxyExecute, 'ESM');

const required = createRequire(import.meta.url)('proxy-execute');
const imported = { ...proxyExecute };
for (const name of Object.keys(required)) {
  if (imported[name] !== required[name]) throw new Error(`${name} is not the same in ESM and in CommonJS`);
}
