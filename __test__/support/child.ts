/** Programs in their own process: a test sees their end, output and memory. */

import { spawn } from 'node:child_process';
import { join } from 'node:path';

export interface Ended {
  /** The exit code; null if a signal ended it. */
  code: number | null;
  /** The signal that ended it, such as SIGSEGV for a crash. */
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** Its running time, in milliseconds. */
  elapsed: number;
}

interface ChildOptions {
  args?: string[];
  /** Options of Node.js, before the program. */
  nodeOptions?: string[];
  env?: Record<string, string>;
  /** The milliseconds after which it is killed, which shows as SIGKILL. */
  limit?: number;
}

/** Runs a program of this folder to its end. */
export function run(program: string, options: ChildOptions = {}): Promise<Ended> {
  const { args = [], nodeOptions = [], env = {}, limit = 60_000 } = options;
  // With the test runner's own variable, the child would report to the runner instead of printing.
  const { NODE_TEST_CONTEXT: _, ...inherited } = process.env;
  const start = performance.now();
  const child = spawn(process.execPath, [...nodeOptions, '--import', 'tsx', join(__dirname, program), ...args], {
    env: { ...inherited, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), limit);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, ...output, elapsed: performance.now() - start });
    });
  });
}
