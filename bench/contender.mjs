/**
 * One contender in its own process, so that its memory and its garbage collections are its own:
 * `node contender.mjs <name>`. It measures when the benchmark tells it to.
 */

import { CONTENDERS, measure } from './contenders.mjs';

const open = CONTENDERS[process.argv[2]];
const callers = new Map();
const connected = new Set();

process.on('message', async ({ origin, scenario, runUp, milliseconds }) => {
  try {
    if (!callers.has(origin)) callers.set(origin, await open(origin));
    const call = callers.get(origin);
    if (!scenario.fails) {
      const data = await call(scenario.answer, { title: 'x' });
      if ((Array.isArray(data) ? data.length : data.number) < 1) throw new Error('the response was not read');
      // The connections are opened first, because TLS handshakes take longer than a turn.
      if (scenario.inFlight > 1 && !connected.has(origin)) {
        connected.add(origin);
        for (let round = 0; round < 2; round += 1) {
          await Promise.all(Array.from({ length: scenario.inFlight }, () => call(scenario.answer, { title: 'x' })));
        }
      }
    }
    await measure(call, scenario, runUp);
    process.send(await measure(call, scenario, milliseconds));
  } catch (error) {
    process.send({ error: error.stack });
  }
});
process.on('disconnect', () => process.exit(0));
