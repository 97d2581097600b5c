/**
 * Several gateways as processes, with one PostgreSQL server, behind nginx.
 *
 * A proxy stands between the gateways and the database, and can stall or cut connections off. Every process ends
 * with its test.
 */

import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { until } from './expect';
import { portToComeBackTo } from './ports';

const NGINX = ['/usr/sbin/nginx', '/usr/bin/nginx', '/opt/homebrew/bin/nginx'].find((path) => existsSync(path));

/** The reason why there can be no fleet; undefined if it can be started. */
export function missingForFleet(): string | undefined {
  if (process.platform === 'win32') return 'The programs of a fleet need Unix.';
  return NGINX === undefined ? 'nginx is not installed (on Debian: apt-get install nginx-light)' : undefined;
}

/** A PostgreSQL server, in a folder of its own. */
export class Postgres {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  /** The URL of its first database. */
  url = '';

  private constructor() {
    const script = join(__dirname, '..', '..', 'scripts', 'test-postgres');
    this.#child = spawn(script, { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface(this.#child.stdout as NodeJS.ReadableStream);
    this.#lines = lines[Symbol.asyncIterator]();
  }

  /** Starts a server, or returns the reason why there is none. */
  static async start(): Promise<Postgres | string> {
    const postgres = new Postgres();
    const line = await postgres.#line();
    if (line.startsWith('none: ')) return line.slice('none: '.length);
    postgres.url = line;
    return postgres;
  }

  /** Ends the server as a crash would, and waits for a new one with the same data. */
  async restart(): Promise<void> {
    this.#child.stdin?.write('restart\n');
    assert.equal(await this.#line(), this.url);
  }

  /** The rows of a query; the columns of a row are separated by `|`. */
  rows(query: string): string[] {
    const output = execFileSync('psql', [this.url, '-XAtqc', query], { encoding: 'utf8', maxBuffer: 2 ** 28 });
    return output.split('\n').filter(Boolean);
  }

  async close(): Promise<void> {
    this.#child.stdin?.end();
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    assert.ok(!done, 'scripts/test-postgres has ended');
    return value;
  }
}

/** A proxy between the gateways and their database. */
export class Between {
  readonly #server: Server;
  readonly #pairs = new Set<[Socket, Socket]>();
  readonly #waiting = new Set<Socket>();
  #mode: 'forward' | 'stall' | 'cut' = 'forward';

  private constructor(readonly to: URL) {
    this.#server = createServer((client) => {
      client.on('error', () => {});
      if (this.#mode === 'cut') client.destroy();
      else if (this.#mode === 'stall') this.#waiting.add(client.pause());
      else this.#join(client);
    });
  }

  static async start(url: string): Promise<Between> {
    const between = new Between(new URL(url));
    between.#server.listen(0, '127.0.0.1');
    await once(between.#server, 'listening');
    return between;
  }

  /** The URL of the database, through this proxy. */
  get url(): string {
    const url = new URL(this.to);
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.href;
  }

  /** Holds every byte back, and keeps all connections. */
  stall(): void {
    this.#mode = 'stall';
    for (const pair of this.#pairs) for (const socket of pair) socket.unpipe().pause();
  }

  /** Ends all connections, and every new one at once. */
  cut(): void {
    this.#mode = 'cut';
    for (const socket of [...[...this.#pairs].flat(), ...this.#waiting]) socket.destroy();
  }

  /** Forwards again. */
  resume(): void {
    this.#mode = 'forward';
    for (const [client, server] of this.#pairs) client.pipe(server).pipe(client);
    for (const client of this.#waiting) this.#join(client);
    this.#waiting.clear();
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket): void {
    const server = connect(Number(this.to.port), this.to.hostname);
    const pair: [Socket, Socket] = [client, server];
    this.#pairs.add(pair);
    const end = () => {
      this.#pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of pair) socket.on('error', end).on('close', end);
    client.pipe(server).pipe(client);
  }
}

/** The response to a request. */
export interface Answered {
  /** 0 if there was no response. */
  status: number;
  text: string;
  /** The address of the gateway to which nginx sent the request. */
  gateway: string;
}

/** Sends a request on a connection of its own. */
export function ask(url: string, method: string, key: string, body?: object): Promise<Answered> {
  return new Promise((resolve) => {
    const failed = (error: Error) => resolve({ status: 0, text: String(error), gateway: '' });
    const headers = { 'x-api-key': key, 'content-type': 'application/json' };
    const sent = request(url, { method, headers, agent: false }, async (response) => {
      response.on('error', failed);
      const chunks = await response.toArray().catch(() => undefined);
      if (chunks === undefined) return;
      const gateway = String(response.headers['x-gateway'] ?? '');
      resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString(), gateway });
    });
    sent.on('error', failed);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** A gateway: the command `serve` in a process. */
export class GatewayProcess {
  #child: ChildProcess | undefined;

  constructor(
    readonly port: number,
    readonly command: readonly string[],
    readonly env: Record<string, string>,
  ) {}

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts the process with further options, and waits until it listens. */
  async start(...options: string[]): Promise<void> {
    const [program = '', ...args] = [...this.command, `--port=${this.port}`, ...options];
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const child = spawn(program, args, { env: { ...env, ...this.env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    let problems = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      problems = (problems + text).slice(-2_000);
    });
    const ended = once(child, 'exit').then(() => assert.fail(`a gateway did not start: ${problems}`));
    ended.catch(() => {});
    await Promise.race([once(createInterface(child.stdout), 'line'), ended]);
  }

  /** Sends a signal, waits for the end, and returns the exit code. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return null;
    if (child.exitCode === null && child.signalCode === null) {
      const exit = once(child, 'exit');
      child.kill(signal);
      await exit;
    }
    return child.exitCode;
  }
}

/** nginx in front of gateways. */
export class Nginx {
  #child: ChildProcess | undefined;

  private constructor(
    readonly folder: string,
    readonly port: number,
  ) {}

  static async start(folder: string, gateways: readonly GatewayProcess[]): Promise<Nginx> {
    const nginx = new Nginx(folder, await portToComeBackTo());
    mkdirSync(folder);
    nginx.#write(gateways);
    const args = ['-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log')];
    nginx.#child = spawn(NGINX ?? 'nginx', args, { stdio: ['ignore', 'ignore', 'inherit'] });
    await until('nginx listens', async () => (await ask(nginx.origin, 'GET', '')).status !== 0);
    return nginx;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Sends new requests to these gateways. Requests in flight still get their responses. */
  async use(gateways: readonly GatewayProcess[]): Promise<void> {
    this.#write(gateways);
    this.#child?.kill('SIGHUP');
  }

  async close(): Promise<void> {
    if (this.#child === undefined || this.#child.exitCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await exit;
  }

  #write(gateways: readonly GatewayProcess[]): void {
    const { folder, port } = this;
    const servers = gateways.map((gateway) => `server 127.0.0.1:${gateway.port} max_fails=0;`);
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off; pid ${folder}/nginx.pid; worker_processes 2;
      events { worker_connections 2048; }
      http {
        access_log off;
        ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')}
        upstream gateways { ${servers.join(' ')} keepalive 32; }
        server {
          listen 127.0.0.1:${port} backlog=1024;
          location / {
            proxy_pass http://gateways; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_read_timeout 65s; proxy_next_upstream off;
            add_header x-gateway $upstream_addr always;
          }
        }
      }`,
    );
  }
}
