// The gateway in this process: the service that keeps users' credentials and makes their calls.

import { clearInterval, setInterval } from 'node:timers';
import type * as Native from '../native';
import { type ApiKeys, apiKeysOf } from './api-keys';
import { DEFAULT_TIMEOUT } from './backend';
import { type Calls, callsOf } from './calls';
import { type GatewayConnectedAccounts, gatewayAccountsOf } from './connected-accounts';
import { toError } from './errors';
import { answerOf, completions, native } from './native';
import type { ToolkitDefinition } from './toolkit';
import { Check, kindOf } from './validate';

/** Options of {@link Gateway.open}. */
export interface GatewayOptions {
  /**
   * The file for accounts, sessions and API keys. It is created if it does not exist.
   * Default: in memory, until the gateway is closed.
   */
  store?: string;
  /**
   * The key that encrypts credentials: 32 random bytes, in hexadecimal or base64. A store in a file
   * needs one: `openssl rand -hex 32` creates one. Keep it apart from the file: without the key the
   * credentials are lost. Default for a store in memory: a random key.
   */
  encryptionKey?: string;
  /**
   * Toolkits beside the built-in ones: definitions, or paths of TOML files or of folders with such
   * files. A toolkit replaces a built-in one with the same slug.
   */
  toolkits?: readonly (string | ToolkitDefinition)[];
  /**
   * Hosts that may have a private address and may be called without TLS. `127.0.0.1:8080` and
   * `intranet.example.com` are for the toolkits whose definitions name the host. `github=git.example.com`
   * is for all accounts of a toolkit, such as those with a `base_url` of their own. Default: none.
   */
  allowPrivateHosts?: readonly string[];
  /** Such hosts to which a third-party API may redirect from another origin. Default: none. */
  allowPrivateRedirects?: readonly string[];
  /** Such hosts from which the `url` of a `binaryBody` may be fetched. Default: none. */
  allowPrivateBodies?: readonly string[];
  /** Upper limit for a response held in memory, after decompression, in bytes. Default: 50 MiB. */
  maxResponseBytes?: number;
  /**
   * How many times its compressed size a file or a stream from a third-party API may have, beyond its first
   * MiB. Default: 200.
   */
  maxExpansion?: number;
  /**
   * Time for the whole response of a third-party API, in milliseconds. The `timeout` of a call limits
   * it further. Default: 55 000.
   */
  upstreamTimeout?: number;
  /**
   * Time without a refresh after which an idle account is refreshed, in milliseconds. Many providers
   * expire refresh tokens that are unused for weeks. Default: never. `proxy-execute serve` uses a day.
   */
  refreshIdleAfter?: number;
  /**
   * Time for the next bytes of a streamed body (an upload, a file, a stream), in milliseconds.
   * Default: 30 000.
   */
  chunkTimeout?: number;
  /** Upper limit for a body of bytes sent to a third-party API, in bytes. Default: 5 GiB. */
  maxUploadBytes?: number;
  /** How files of responses are stored. */
  files?: FilesOptions;
  /**
   * The URL at which users reach this gateway, such as `https://gateway.example.com`. Links and URLs of
   * files begin with it. Default: the address that it listens on.
   */
  publicUrl?: string;
  /**
   * URLs to which users may be sent after a link: origins such as `https://app.example.com`, or URL
   * prefixes. Default: any https URL, and http on this machine.
   */
  callbackUrls?: readonly string[];
  /**
   * Whether every authorization server has a redirect URI of its own, `{publicUrl}/connect/callback/{its host}`. By
   * default, only a server that an account chooses has one. Register your clients with it. Default: false.
   */
  ownCallbackPaths?: boolean;
  /** How long a link works, in milliseconds, at least 1 000. Default: 600 000, which is 10 minutes. */
  linkLifetime?: number;
}

/** How files of responses are stored. */
export interface FilesOptions {
  /**
   * The folder for the files. It is created if it does not exist. Default: beside the store
   * (`gateway.db.files`), or a temporary folder for a store in memory.
   */
  folder?: string;
  /**
   * A bucket of a service that speaks S3, instead of a folder. Missing settings come from the
   * environment, as with the tools of AWS (`AWS_ACCESS_KEY_ID` …), or from the machine's role.
   */
  s3?: {
    /** The bucket's name. */
    bucket: string;
    /** Prefix of the names of objects. */
    prefix?: string;
    /** Its region. Default: `us-east-1`. */
    region?: string;
    /** The service's URL, if it is not AWS. */
    endpoint?: string;
    /** The id of an access key. */
    accessKeyId?: string;
    /** The access key. */
    secretAccessKey?: string;
  };
  /** Lifetime of a file, from the beginning of the response, in milliseconds. Default: an hour. */
  expiresIn?: number;
  /** Upper limit for a file, after decompression, in bytes. Default: 5 GiB. */
  maxBytes?: number;
  /** How many files may be written and read at once. Default: 100. */
  maxOpen?: number;
  /**
   * The keys that sign URLs of files, 32 bytes each in hexadecimal or base64. The first key signs, and
   * all keys verify. Default: a key derived from the encryption key.
   */
  signingKeys?: readonly string[];
}

/** Where a gateway listens. */
export interface ListenOptions {
  /** The address. Default: `127.0.0.1`, which is reached from this machine only. */
  host?: string;
  /** The port. Default: 0, any that is free. */
  port?: number;
  /**
   * Requests that a key may make in a minute. More get a 429. Each process counts separately, whatever
   * other gateways have the same store. Default: no limit.
   */
  requestsPerMinute?: number;
  /**
   * How many connections an address may have open; of IPv6, a network of 64 bits. One more gets a 429
   * and closed. Default: 4 096.
   */
  maxConnectionsPerAddress?: number;
  /**
   * How long a request may take to arrive, in milliseconds: its head, and then its body, unless that is an upload
   * that is streamed. An idle connection is closed after the same time. Default: 120 000.
   */
  requestTimeout?: number;
}

const LISTEN_KEYS = ['host', 'port', 'requestsPerMinute', 'maxConnectionsPerAddress', 'requestTimeout'];

/** A port that a gateway serves. It keeps the process alive until the gateway is closed. */
export interface Listener {
  /** The URL for the `baseURL` of {@link Composio}. */
  readonly url: string;
  /** The address. */
  readonly host: string;
  /** The port. */
  readonly port: number;
  /** Lets the process end although the port is open. */
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
      // Once: it is emitted again when that is done.
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
 * The gateway in this process: it keeps users' credentials and makes their calls.
 *
 * A gateway that is only open does not keep the process alive; one that listens does. What is still
 * open when a process or a worker ends by itself is closed first, see {@link Gateway.close}.
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
  /** The keys for the port. */
  readonly apiKeys: ApiKeys;
  /** The calls that were made. */
  readonly calls: Calls;
  readonly #native: Native.Gateway;
  /** One timer per port: what keeps the process alive. */
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #weak = new WeakRef(this);

  static {
    nativeBackendOf = (gateway) => gateway.#native.backend();
  }

  private constructor(native: Native.Gateway) {
    this.#native = native;
    const backend = { native: native.backend(), timeout: DEFAULT_TIMEOUT, headers: {}, gateway: this };
    this.connectedAccounts = gatewayAccountsOf(native, backend);
    this.apiKeys = apiKeysOf(native);
    this.calls = callsOf(native);
    openGateways.add(this.#weak);
    collected.register(this, this.#weak);
    closeBeforeExit();
  }

  /**
   * Opens a gateway. Close it in the end: a process that ends by itself does that, one that ends by
   * `process.exit()` does not.
   *
   * @param options Default: a gateway in memory, with the built-in toolkits.
   * @throws {ValidationError} If an option is unknown or cannot be used.
   * @throws {ComposioError} With a `slug`: `EncryptionKeyRequired` if a store in a file has no key,
   * `WrongEncryptionKey` if it was written with another, `StoreCorrupt` if the file is no database
   * or damaged, `StoreUnavailable` if it cannot be opened, `InvalidToolkit` if a toolkit's definition
   * cannot be used.
   *
   * @example
   * ```ts
   * const gateway = await Gateway.open({
   *   store: 'gateway.db',
   *   encryptionKey: process.env.GATEWAY_ENCRYPTION_KEY,
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
   * Answers on a port, under `/api/v3` and `/api/v3.1`. Callers need a key, see {@link Gateway.apiKeys}.
   *
   * @param options Default: any free port that is reached from this machine only.
   * @throws {ValidationError} If an option is unknown or cannot be used.
   * @throws {ComposioError} If the address is in use or not this machine's (slug `InvalidOption`).
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
      check.optionalWhole(options.requestTimeout, 'requestTimeout', 1);
    }
    check.done();
    const request = JSON.stringify({
      host: options.host ?? '127.0.0.1',
      port: options.port ?? 0,
      requests_per_minute: options.requestsPerMinute,
      max_connections_per_address: options.maxConnectionsPerAddress,
      request_timeout_ms: options.requestTimeout,
    });
    const answer = await answerOf(() => this.#native.listen(request));
    const { host, port } = JSON.parse(answer);
    // The longest delay that a timer can have.
    const timer = setInterval(() => {}, 2 ** 31 - 1);
    this.#timers.add(timer);
    const listener: Listener = {
      url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
      host,
      port,
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
   * Refuses new calls, gives calls in flight 5 seconds, stops listening and closes the store.
   * Later calls fail with an {@link APIConnectionError}. A second close waits for the first.
   *
   * A process or a worker that ends by itself closes open gateways when Node.js emits `beforeExit`.
   * Without a close, as after `process.exit()`, an uncaught error or a signal, the record of the last
   * calls is lost, and an account that is being refreshed may be lost too. A stream that was neither read
   * to its end nor cancelled is a call in flight.
   *
   * @example
   * ```ts
   * await gateway.close();
   * ```
   */
  async close(): Promise<void> {
    openGateways.delete(this.#weak);
    await answerOf(() => this.#native.close());
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers.clear();
  }

  /** The same as {@link Gateway.close}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

const GATEWAY_KEYS = [
  'store',
  'encryptionKey',
  'toolkits',
  'allowPrivateHosts',
  'allowPrivateRedirects',
  'allowPrivateBodies',
  'maxResponseBytes',
  'maxExpansion',
  'upstreamTimeout',
  'refreshIdleAfter',
  'chunkTimeout',
  'maxUploadBytes',
  'files',
  'publicUrl',
  'callbackUrls',
  'ownCallbackPaths',
  'linkLifetime',
];
const FILES_KEYS = ['folder', 's3', 'expiresIn', 'maxBytes', 'maxOpen', 'signingKeys'];
const S3_KEYS = ['bucket', 'prefix', 'region', 'endpoint', 'accessKeyId', 'secretAccessKey'];

function writeGatewayOptions(options: GatewayOptions): string {
  const check = new Check('options of the gateway');
  if (check.object(options, '', GATEWAY_KEYS)) {
    check.optionalText(options.store, 'store');
    check.optionalText(options.encryptionKey, 'encryptionKey');
    if (options.toolkits !== undefined && check.list(options.toolkits, 'toolkits')) {
      for (const [index, toolkit] of options.toolkits.entries()) checkToolkit(check, toolkit, `toolkits[${index}]`);
    }
    for (const key of ['allowPrivateHosts', 'allowPrivateRedirects', 'allowPrivateBodies'] as const) {
      if (options[key] !== undefined) check.texts(options[key], key);
    }
    check.optionalWhole(options.maxResponseBytes, 'maxResponseBytes', 1);
    check.optionalWhole(options.maxExpansion, 'maxExpansion', 1);
    check.optionalWhole(options.upstreamTimeout, 'upstreamTimeout', 1);
    check.optionalWhole(options.refreshIdleAfter, 'refreshIdleAfter', 1);
    check.optionalWhole(options.chunkTimeout, 'chunkTimeout', 1);
    check.optionalWhole(options.maxUploadBytes, 'maxUploadBytes', 1);
    if (options.files !== undefined) checkFiles(check, options.files);
    check.optionalText(options.publicUrl, 'publicUrl');
    if (options.callbackUrls !== undefined) check.texts(options.callbackUrls, 'callbackUrls');
    check.optionalFlag(options.ownCallbackPaths, 'ownCallbackPaths');
    check.optionalWhole(options.linkLifetime, 'linkLifetime', 1_000);
  }
  check.done();
  return JSON.stringify({
    store: options.store,
    encryption_key: options.encryptionKey,
    toolkits: options.toolkits,
    allow_private_hosts: options.allowPrivateHosts,
    allow_private_redirects: options.allowPrivateRedirects,
    allow_private_bodies: options.allowPrivateBodies,
    max_response_bytes: options.maxResponseBytes,
    max_expansion: options.maxExpansion,
    upstream_timeout_ms: options.upstreamTimeout,
    refresh_idle_after_ms: options.refreshIdleAfter,
    chunk_timeout_ms: options.chunkTimeout,
    max_upload_bytes: options.maxUploadBytes,
    files: options.files && writeFiles(options.files),
    public_url: options.publicUrl,
    callback_urls: options.callbackUrls,
    own_callback_paths: options.ownCallbackPaths,
    link_lifetime_ms: options.linkLifetime,
  });
}

function checkFiles(check: Check, files: unknown): void {
  if (!check.object(files, 'files', FILES_KEYS)) return;
  check.optionalText(files.folder, 'files.folder');
  if (files.s3 !== undefined && check.object(files.s3, 'files.s3', S3_KEYS)) {
    check.text(files.s3.bucket, 'files.s3.bucket');
    for (const key of S3_KEYS) check.optionalText(files.s3[key], `files.s3.${key}`);
  }
  check.optionalWhole(files.expiresIn, 'files.expiresIn', 1);
  check.optionalWhole(files.maxBytes, 'files.maxBytes', 1);
  check.optionalWhole(files.maxOpen, 'files.maxOpen', 1, 1_000_000);
  if (files.signingKeys !== undefined) check.texts(files.signingKeys, 'files.signingKeys');
}

function writeFiles({ folder, s3, expiresIn, maxBytes, maxOpen, signingKeys }: FilesOptions): object {
  return {
    folder,
    s3: s3 && {
      bucket: s3.bucket,
      prefix: s3.prefix,
      region: s3.region,
      endpoint: s3.endpoint,
      access_key_id: s3.accessKeyId,
      secret_access_key: s3.secretAccessKey,
    },
    expires_in_ms: expiresIn,
    max_bytes: maxBytes,
    max_open: maxOpen,
    signing_keys: signingKeys,
  };
}

/** What a definition may hold is checked where TOML files are, by the gateway. */
function checkToolkit(check: Check, toolkit: unknown, path: string): void {
  const isPath = typeof toolkit === 'string' && toolkit !== '';
  const isDefinition = typeof toolkit === 'object' && toolkit !== null && !Array.isArray(toolkit);
  if (!isPath && !isDefinition) {
    check.wrong(path, `must be a path or a definition of a toolkit, but is ${kindOf(toolkit)}.`);
  }
}
