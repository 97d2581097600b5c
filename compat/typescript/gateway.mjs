/** Starts the gateway of the folder above as a child process, and watches what the SDK logs. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The gateway's details, and a function that stops it. */
export async function startGateway() {
  const script = fileURLToPath(new URL('../gateway.mjs', import.meta.url));
  const child = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const said = once(createInterface(child.stdout), 'line');
  const [line] = await Promise.race([
    said,
    exited.then(([code]) => Promise.reject(new Error(`the gateway exited with ${code} before it listened`))),
  ]);
  return {
    ...JSON.parse(line),
    async stop() {
      child.stdin.end();
      const [code] = await exited;
      if (code !== 0) throw new Error(`the gateway exited with ${code}`);
    },
  };
}

/** The lines that the SDK logs from now on: its own, and its HTTP client's, both go to the console. */
export function watchLog() {
  const lines = [];
  for (const level of ['debug', 'info', 'warn', 'error']) {
    console[level] = (...parts) => lines.push(`${level}: ${parts.map(String).join(' ')}`);
  }
  return lines;
}
