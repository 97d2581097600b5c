/**
 * A third-party API for many calls: in a process of its own, so that what it needs is not counted
 * with what is measured.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** What has become of the calls of `/hold?call=…`. */
export interface Held {
  /** Those that are waiting for their answer. */
  waiting: number[];
  /** Those that hung up before they had it. */
  gone: number[];
  /** Those that got it. */
  answered: number[];
}

export type Command = 'held' | 'release';

/**
 * It answers at once, with about 1 KB of JSON, except to `/hold?call=…`: these wait until they are
 * released, and the first half of an answer comes to `/half?call=…`.
 */
export class LoadUpstream {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start(): Promise<LoadUpstream> {
    const child = fork(join(__dirname, 'load-upstream-process.ts'), { execArgv: ['--import', 'tsx'] });
    const [port] = await once(child, 'message');
    return new LoadUpstream(child, port);
  }

  /** What has become of the calls that were to wait. */
  held(): Promise<Held> {
    return this.#ask('held');
  }

  /** Answers those that wait, and all that come. */
  release(): Promise<Held> {
    return this.#ask('release');
  }

  close(): void {
    this.#child.kill();
  }

  async #ask(command: Command): Promise<Held> {
    const answer = once(this.#child, 'message');
    this.#child.send(command);
    const [held] = await answer;
    return held;
  }
}
