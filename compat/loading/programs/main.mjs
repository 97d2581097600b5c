import { call } from './call.mjs';

console.log(await call());
