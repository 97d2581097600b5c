import { call } from './call.mjs';

call().then(console.log);
