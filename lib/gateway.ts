// The gateway in this process: the service that keeps users' credentials and calls APIs with them.

import { clearInterval, setInterval } from 'node:timers';
import type * as Native from '../native';
import { type ApiKeys, apiKeysOf } from './api-keys';
import { type Audit, auditOf } from './audit';
import { DEFAULT_TIMEOUT } from './backend';
import { type Calls, callsOf } from './calls';
import { type GatewayConnectedAccounts, gatewayAccountsOf } from './connected-accounts';
import { toError } from './errors';
import { EventLoopDelay } from './event-loop-delay';
import { type EventsOptions, eventsOf, type GatewayEvent } from './events';
import { type GatewayOptions, writeGatewayOptions } from './gateway-options';
import { answerOf, completions, native } from './native';
import { type Users, usersOf } from './users';
import { Check } from './validate';
import { type Webhooks, webhooksOf } from './webhooks';

/** The options of {@link Gateway.listen}: where a gateway listens, and the limits of the port. */
export interface ListenOptions {
  /** The address. Default: `127.0.0.1`, which only this machine can reach. */
  host?: string;
  /** The port. Default: 0, which takes any free port. */
  port?: number;
  /**
   * How many requests an API key may make in a minute. Further requests get a 429. Each process counts separately,
   * even if several gateways share a store. Default: no limit.
   */
  requestsPerMinute?: number;
  /**
   * How many connections an address may have open. IPv6 addresses are counted per /64 network. A further
   * connection gets a 429 and is closed. Default: 4 096.
   */
  maxConnectionsPerAddress?: number;
  /**
   * The addresses or networks, such as `10.0.0.0/8`, of proxies whose `X-Forwarded-For` names the client. The
   * addresses that a key allows, and limits of clients without a key, then count for that client. At most 100.
   * Default: none, and the header does not count.
   */
  trustedProxies?: readonly string[];
  /**
   * How long the head of a request may take to arrive, in milliseconds, and then its body. A streamed upload has no
   * such limit for its body. An idle connection is closed after the same time. Default: 120 000.
   */
  requestTimeout?: number;
  /**
   * How long the port still accepts calls after {@link Gateway.close} was called, in milliseconds. Meanwhile
   * `/ready` is a 503, so that load balancers send new calls elsewhere. Calls in flight then have as long again, and at
   * least 5 seconds. At most an hour. Default: 0.
   */
  drainDelay?: number;
  /**
   * The paths of PEM files: a certificate with its chain, and its private key. The port then speaks TLS. Files that
   * change are read again. Default: no TLS.
   */
  tls?: { cert: string; key: string };
  /**
   * An address with its port, such as `127.0.0.1:9464`, on which Prometheus reads {@link Gateway.metrics} under
   * `/metrics`. It needs no key and speaks no TLS, so choose an address that only Prometheus reaches. Port 0 takes any
   * free port. Default: none.
   */
  metrics?: string;
}

const LISTEN_KEYS = [
  'host',
  'port',
  'requestsPerMinute',
  'maxConnectionsPerAddress',
  'trustedProxies',
  'requestTimeout',
  'drainDelay',
  'tls',
  'metrics',
];

/** A port that a gateway serves. It keeps the process alive until the gateway is closed. */
export interface Listener {
  /** The URL for the `baseURL` of {@link Composio}. */
  readonly url: string;
  /** The address. */
  readonly host: string;
  /** The port. */
  readonly port: number;
  /** The URL of the metrics; undefined if {@link ListenOptions.metrics} names no address. */
  readonly metricsUrl: string | undefined;
  /** Lets the process end while the port is open. */
  unref(): Listener;
  /** Keeps the process alive again. */
  ref(): Listener;
}

/** The open gateways of this thread. The references are weak, so that an unused gateway may be collected. */
const openGateways = new Set<WeakRef<Gateway>>();
const collected = new FinalizationRegistry<WeakRef<Gateway>>((gateway) => openGateways.delete(gateway));
let closesBeforeExit = false;

/** Closes open gateways before the process exits: refreshes and the record do not keep it alive, and would be lost. */
function closeBeforeExit(): void {
  if (closesBeforeExit) return;
  closesBeforeExit = true;
  process.on('beforeExit', () => {
    for (const gateway of openGateways) {
      // Closing makes Node.js emit `beforeExit` again, so each gateway is closed once.
      openGateways.delete(gateway);
      // No caller waits for this error.
      gateway
        .deref()
        ?.close()
        .catch((error) => process.emitWarning(error));
    }
  });
}

/** The native backend of a gateway, for {@link Composio}. */
export let nativeBackendOf: (gateway: Gateway) => Native.Backend;

/**
 * The gateway in this process: it keeps users' credentials and calls APIs with them.
 *
 * An open gateway does not keep the process alive; a listening gateway does. A gateway that is still open when
 * a process or a worker ends by itself is closed first, see {@link Gateway.close}.
 *
 * @example
 * ```ts
 * const gateway = await Gateway.open();
 * await gateway.connectedAccounts.import({
 *   userId: 'user_123',
 *   toolkit: 'github',
 *   credential: { authScheme: 'BEARER_TOKEN', val: { token: process.env.GITHUB_TOKEN } },
 * });
 * const session = await new Composio({ gateway }).create('user_123', { toolkits: ['github'] });
 * ```
 */
export class Gateway {
  /** The accounts of users, with their credentials. */
  readonly connectedAccounts: GatewayConnectedAccounts;
  /** The API keys of the port's callers. */
  readonly apiKeys: ApiKeys;
  /** The record of calls. */
  readonly calls: Calls;
  /** The record of administrative changes. */
  readonly audit: Audit;
  /** The data of users, to be exported or deleted. */
  readonly users: Users;
  /** Where events are sent. */
  readonly webhooks: Webhooks;
  readonly #native: Native.Gateway;
  /** One timer per port, which keeps the process alive. */
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #weak = new WeakRef(this);
  /** Measured once the metrics are read. */
  #eventLoop: EventLoopDelay | undefined;

  static {
    nativeBackendOf = (gateway) => gateway.#native.backend();
  }

  private constructor(native: Native.Gateway) {
    this.#native = native;
    const backend = { native: native.backend(), timeout: DEFAULT_TIMEOUT, headers: {}, gateway: this };
    this.connectedAccounts = gatewayAccountsOf(native, backend);
    this.apiKeys = apiKeysOf(native);
    this.calls = callsOf(native);
    this.audit = auditOf(backend);
    this.users = usersOf(backend);
    this.webhooks = webhooksOf(backend);
    openGateways.add(this.#weak);
    collected.register(this, this.#weak);
    closeBeforeExit();
  }

  /**
   * Opens a gateway. Call {@link Gateway.close} when you no longer need it. A process that ends by itself closes
   * its gateways. `process.exit()` does not close them.
   *
   * @param options Default: a gateway in memory, with the built-in toolkits.
   * @throws {ValidationError} If an option is unknown or cannot be used.
   * @throws {ComposioError} With a `slug`: `EncryptionKeyRequired` if a store in a file has no key,
   * `WrongEncryptionKey` if the store was written with another key, `StoreCorrupt` if the file is damaged or no
   * database, `StoreUnavailable` if it cannot be opened, `InvalidToolkit` if a toolkit's definition
   * cannot be used.
   *
   * @example
   * ```ts
   * const gateway = await Gateway.open({
   *   store: 'gateway.db',
   *   encryptionKey: process.env.PROXY_EXECUTE_ENCRYPTION_KEY,
   *   toolkits: ['./toolkits'],
   * });
   * ```
   */
  static async open(options: GatewayOptions = {}): Promise<Gateway> {
    const opened = await native.Gateway.open(writeGatewayOptions(options), completions());
    if (!(opened instanceof native.Gateway)) throw toError(opened);
    return new Gateway(opened);
  }

  /**
   * Serves a port, under `/api/v3` and `/api/v3.1`. Callers need a key, see {@link Gateway.apiKeys}.
   *
   * @param options Default: any free port, which only this machine can reach.
   * @throws {ValidationError} If an option is unknown or cannot be used.
   * @throws {ComposioError} If the address is in use, or does not belong to this machine, or if a file of `tls`
   * cannot be used (slug `InvalidOption`).
   * @throws {APIConnectionError} If the gateway is closed.
   *
   * @example
   * ```ts
   * const { url } = await gateway.listen({ host: '0.0.0.0', port: 9900 });
   * const { key } = await gateway.apiKeys.create({ name: 'worker' });
   * const composio = new Composio({ apiKey: key, baseURL: url });
   * ```
   */
  async listen(options: ListenOptions = {}): Promise<Listener> {
    const check = new Check('listen options');
    if (check.object(options, '', LISTEN_KEYS)) {
      check.optionalText(options.host, 'host');
      check.optionalWhole(options.port, 'port', 0, 65_535);
      check.optionalWhole(options.requestsPerMinute, 'requestsPerMinute', 1, 4_294_967_295);
      check.optionalWhole(options.maxConnectionsPerAddress, 'maxConnectionsPerAddress', 1, 4_294_967_295);
      if (options.trustedProxies !== undefined) check.texts(options.trustedProxies, 'trustedProxies');
      check.optionalWhole(options.requestTimeout, 'requestTimeout', 1);
      check.optionalWhole(options.drainDelay, 'drainDelay', 0, 3_600_000);
      check.optionalText(options.metrics, 'metrics');
      if (options.tls !== undefined && check.object(options.tls, 'tls', ['cert', 'key'])) {
        check.text(options.tls.cert, 'tls.cert', 'name a PEM file');
        check.text(options.tls.key, 'tls.key', 'name a PEM file');
      }
    }
    check.done();
    const request = JSON.stringify({
      host: options.host ?? '127.0.0.1',
      port: options.port ?? 0,
      requests_per_minute: options.requestsPerMinute,
      max_connections_per_address: options.maxConnectionsPerAddress,
      trusted_proxies: options.trustedProxies,
      request_timeout_ms: options.requestTimeout,
      drain_delay_ms: options.drainDelay,
      tls: options.tls,
    });
    const answer = await answerOf(() => this.#native.listen(request, options.metrics));
    const { host, port, metrics } = JSON.parse(answer);
    if (metrics !== null) this.#eventLoop ??= new EventLoopDelay(this.#native);
    // The longest delay that a timer can have.
    const timer = setInterval(() => {}, 2 ** 31 - 1);
    this.#timers.add(timer);
    const listener: Listener = {
      url: `${options.tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`,
      host,
      port,
      metricsUrl: metrics === null ? undefined : `http://${metrics}/metrics`,
      unref() {
        timer.unref();
        return listener;
      },
      ref() {
        timer.ref();
        return listener;
      },
    };
    return listener;
  }

  /**
   * Returns the metrics of the gateway, in the text format of Prometheus, for a program that serves them itself. The
   * gateway counts from the first call on: before, nothing reads what it would count.
   *
   * @throws {APIConnectionError} If the gateway is closed.
   *
   * @example
   * ```ts
   * const text = await gateway.metrics();
   * new Response(text, { headers: { 'content-type': 'text/plain; version=0.0.4' } });
   * ```
   */
  async metrics(): Promise<string> {
    this.#eventLoop ??= new EventLoopDelay(this.#native);
    this.#eventLoop.report();
    return JSON.parse(await answerOf(() => this.#native.metrics()));
  }

  /**
   * Follows what happens to connected accounts: they are connected, refreshed, expire and so on. Every gateway of a store
   * returns the events of all. They are in order, and none is skipped. The gateway keeps them for 7 days, and at most
   * 100 000 of them.
   *
   * The iteration ends when the gateway is closed. An iteration that waits keeps the process alive. It reads the next
   * events when the loop asks for more.
   *
   * @param options Default: the events from this call on. With `after`, the events behind a cursor come first.
   * @throws {ValidationError} If an option is unknown or cannot be used.
   * @throws {APIError} With the slug `EventsForgotten` if the cursor is too old, from the first `next()` on.
   * @throws the signal's reason, once the signal is aborted.
   *
   * @example
   * ```ts
   * const signal = AbortSignal.timeout(1000);
   * try {
   *   for await (const event of gateway.events({ signal })) {
   *     if (event.type === 'connected_account.expired') {
   *       console.log(event.connectedAccount.userId, event.reason);
   *     }
   *   }
   * } catch (error) {
   *   if (!signal.aborted) throw error;
   * }
   * ```
   */
  events(options: EventsOptions = {}): AsyncGenerator<GatewayEvent, void, undefined> {
    return eventsOf(this.#native, options);
  }

  /**
   * Refuses new calls, gives calls in flight 5 seconds, stops listening and closes the store. With
   * {@link ListenOptions.drainDelay}, it accepts calls for that time first.
   * Later calls fail with an {@link APIConnectionError}. A second close waits for the first.
   *
   * A process or a worker that ends by itself closes open gateways when Node.js emits `beforeExit`.
   * `process.exit()`, an uncaught error or a signal end the process without closing gateways. The record of the
   * last calls is then lost, and an account that is being refreshed may have to be connected again. A stream that
   * was neither read to its end nor cancelled is a call in flight.
   *
   * @example
   * ```ts
   * await gateway.close();
   * ```
   */
  async close(): Promise<void> {
    openGateways.delete(this.#weak);
    await answerOf(() => this.#native.close());
    this.#eventLoop?.stop();
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers.clear();
  }

  /** The same as {@link Gateway.close}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
