/**
 * A third-party API for many calls. It has its own process, so that a measurement does not include it.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** The states of the calls of `/hold?call=…`. */
export interface Held {
  /** Calls that wait for their response. */
  waiting: number[];
  /** Calls that disconnected before their response. */
  gone: number[];
  /** Calls that got their response. */
  answered: number[];
}

export type Command = 'held' | 'release';

/**
 * It responds at once with about 1 KB of JSON. Calls of `/hold?call=…` wait until they are released, and
 * `/half?call=…` gets the first half of a response.
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

  /** The states of the calls that wait. */
  held(): Promise<Held> {
    return this.#ask('held');
  }

  /** Responds to the waiting calls and to all later ones. */
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
