// How a secret is read: from a prompt that does not show it, or from standard input. Never from an argument,
// which every process of the machine can see and the shell remembers.

import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { text as readAll } from 'node:stream/consumers';

/** Whether the command can ask a user. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true;
}

/** Everything on standard input, without the line break at its end. */
export async function fromStdin(): Promise<string> {
  return (await readAll(process.stdin)).replace(/\r?\n$/, '');
}

/** Asks on the terminal. */
export function ask(question: string, options: { hidden: boolean }): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const output = options.hidden ? silent : process.stderr;
  const reader = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 });
  if (options.hidden) process.stderr.write(question);
  const answer = new Promise<string>((resolve, reject) => {
    // The input ended, or the user pressed Ctrl-C. After a line of input this has no effect.
    reader.on('close', () => reject(new Error('Cancelled.')));
    reader.question(options.hidden ? '' : question, (line) => {
      resolve(line);
      reader.close();
    });
  });
  return answer.finally(() => {
    if (options.hidden) process.stderr.write('\n');
  });
}
