/** From the start of a process to its first response: `node cold.mjs <contender> <origin>`. */

import { CONTENDERS } from './contenders.mjs';

const call = await CONTENDERS[process.argv[2]](process.argv[3]);
await call('1k', { title: 'Found a bug' });
process.stdout.write('answered\n');
process.exit(0);
