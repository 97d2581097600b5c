// `serve`: a gateway on a port, until a signal ends it.

import { existsSync } from 'node:fs';
import { clearInterval, setInterval } from 'node:timers';
import { Gateway, type ListenOptions } from '../../gateway';
import { type FilesOptions, type GatewayOptions, NUMBER_FLAGS } from '../../gateway-options';
import { native } from '../../native';
import { checkStore } from '../../store-file';
import { ALLOW_PRIVATE, type Command, type Given, privateHosts, UsageError } from '../command';
import { keysOf } from '../key-source';
import { encryptionKeysOf, inStore, isDatabase, sameStore, shownStoreOf, storeOf } from '../store';
import type { Terminal } from '../terminal';

const LOG_LEVELS = ['off', 'error', 'warn', 'info', 'debug', 'trace'];
const LOG_FORMATS = ['text', 'json'];

/** The largest number of requests or connections that the gateway can count. */
const MOST = 2 ** 32 - 1;

/** In milliseconds. */
const HOUR = 3_600_000;

export const serve: Command = {
  name: 'serve',
  summary: 'Serves the gateway on a port, for other programs',
  parameters: [],
  options: {
    host: { value: '<address>', description: 'The address. Default: 127.0.0.1, which only this machine reaches' },
    port: { value: '<number>', whole: true, most: 65_535, description: 'The port. Default: 9900. 0 takes a free port' },
    'rate-limit': {
      value: '<number>',
      whole: true,
      least: 1,
      most: MOST,
      description: 'Requests that a key may make in a minute, in this process. Default: no limit',
    },
    'max-connections-per-address': {
      value: '<number>',
      whole: true,
      least: 1,
      most: MOST,
      description: 'Connections that an address may have open. Default: 4096',
    },
    'trusted-proxy': {
      value: '<network>',
      many: true,
      description: 'A proxy, such as 10.0.0.7 or 10.0.0.0/8, whose X-Forwarded-For names the client. Default: none',
    },
    'request-timeout': {
      value: '<seconds>',
      whole: true,
      least: 1,
      unit: 1_000,
      description: 'Time for a request to arrive, unless it is a streamed upload. Default: 120',
    },
    'drain-delay': {
      value: '<seconds>',
      whole: true,
      most: 3_600,
      unit: 1_000,
      description: 'Time after a signal to end in which /ready is a 503 and calls are still accepted. Default: 0',
    },
    'tls-cert': {
      value: '<file>',
      path: true,
      description: 'A PEM file with a certificate and its chain, for TLS on the port. It is read again when it changes',
    },
    'tls-key': { value: '<file>', path: true, description: 'A PEM file with the private key of the certificate' },
    'otlp-endpoint': {
      value: '<url>',
      description:
        'A collector that takes traces over OTLP/HTTP, such as http://localhost:4318. Default: that of ' +
        'OTEL_EXPORTER_OTLP_ENDPOINT',
    },
    'propagate-trace': {
      value: '<slug>',
      many: true,
      description: 'A toolkit whose API gets the traceparent of a traced call. Default: none',
    },
    'public-url': {
      value: '<url>',
      description: 'URL at which clients reach this gateway. Links and URLs of files begin with it',
    },
    'refresh-idle-after': {
      value: '<hours>',
      whole: true,
      unit: HOUR,
      description: 'Time without a refresh after which an idle account is refreshed. Default: 24. 0 means never',
    },
    'callback-url': {
      value: '<url>',
      many: true,
      description:
        'An origin or URL prefix to which users may be sent after a link. Default: any https, and this machine',
    },
    'own-callback-paths': {
      description: 'Give every authorization server a redirect URI of its own. Register your clients with it',
    },
    migrate: { description: 'Bring a database to the schema of this version. A file always is' },
    'no-mcp': { description: 'Serve no MCP clients: the `mcp.url` of sessions is empty' },
    files: {
      value: '<place>',
      path: true,
      description: 'Where files are stored: a folder, or s3://bucket/prefix. Default: a folder beside the store',
    },
    'files-expire-after': {
      value: '<seconds>',
      whole: true,
      least: 1,
      unit: 1_000,
      description: 'Lifetime of a file. Default: 3600',
    },
    'files-max-bytes': {
      value: '<number>',
      whole: true,
      least: 1,
      description: 'Upper limit for a file. Default: 5 GiB',
    },
    'files-max-open': {
      value: '<number>',
      whole: true,
      least: 1,
      most: 1_000_000,
      description: 'Files that may be written and read at once. Default: 100',
    },
    'files-signing-key-file': {
      value: '<file>',
      many: true,
      path: true,
      description:
        'A file with a key for signing URLs of files: the first signs, all verify. Default: the variable ' +
        'PROXY_EXECUTE_FILES_SIGNING_KEY, or a key that is derived from the key of the store',
    },
    'files-signing-key-command': {
      value: '<command>',
      description: 'A command that prints such keys, instead of a file',
    },
    ...Object.fromEntries(
      NUMBER_FLAGS.map(({ flag, wireName: sets, unit, least, description }) => [
        flag,
        { value: unit === 1 ? '<number>' : '<seconds>', whole: true, least, unit, sets, description },
      ]),
    ),
    'log-level': {
      value: '<level>',
      description:
        'What is logged on the standard error output: off, error, warn, info (each call), debug or trace. Default: ' +
        'the variable PROXY_EXECUTE_LOG, or warn',
    },
    'log-format': {
      value: '<format>',
      description:
        'The lines on the standard error output: text or json, for programs that collect logs. Default: the variable ' +
        'PROXY_EXECUTE_LOG_FORMAT, or text',
    },
    metrics: {
      value: '<address>',
      description: 'Address with port on which Prometheus reads the metrics, such as 127.0.0.1:9464. It needs no key',
    },
    ...ALLOW_PRIVATE,
    check: {
      oneRun: true,
      description: 'Check the options, the files that they name and the store, and serve nothing',
    },
  },
  examples: [
    'npx proxy-execute serve',
    'npx proxy-execute serve --host 0.0.0.0 --port 8080 --public-url https://gateway.example.com --rate-limit 600',
    'npx proxy-execute serve --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem --public-url https://gateway.example.com:9900',
    'npx proxy-execute serve --store /var/lib/gateway.db --encryption-key-file /run/secrets/gateway.key',
    'npx proxy-execute serve --store postgres://gateway@db.example.com/gateway?sslmode=verify-full',
    'npx proxy-execute serve --config /etc/proxy-execute.toml --check',
  ],
  run(given, terminal) {
    const level = oneOf(given, 'log-level', 'PROXY_EXECUTE_LOG', LOG_LEVELS) ?? 'warn';
    const format = oneOf(given, 'log-format', 'PROXY_EXECUTE_LOG_FORMAT', LOG_FORMATS) ?? 'text';
    native.logFrom(level, format);
    const note = (level: 'INFO' | 'WARN', message: string) => {
      const timestamp = new Date().toISOString();
      if (format === 'json') terminal.note(JSON.stringify({ timestamp, level, message }));
      else if (level === 'WARN') terminal.warn(message);
      else terminal.note(message);
    };
    const options = {
      // 0 means never, which is the gateway's own default.
      refreshIdleAfter: (given.whole('refresh-idle-after') ?? 24 * HOUR) || undefined,
      publicUrl: given.text('public-url'),
      callbackUrls: given.texts('callback-url'),
      ownCallbackPaths: given.flag('own-callback-paths'),
      migrate: given.flag('migrate'),
      mcp: given.flag('no-mcp') ? false : undefined,
      otlpEndpoint: given.text('otlp-endpoint'),
      propagateTrace: given.texts('propagate-trace'),
      ...privateHosts(given),
      files: filesOf(given, terminal),
      ...Object.fromEntries(NUMBER_FLAGS.map(({ name, flag }) => [name, given.whole(flag)])),
    };
    const listen = {
      host: given.text('host'),
      port: given.whole('port') ?? 9900,
      requestsPerMinute: given.whole('rate-limit'),
      maxConnectionsPerAddress: given.whole('max-connections-per-address'),
      trustedProxies: given.texts('trusted-proxy'),
      requestTimeout: given.whole('request-timeout'),
      drainDelay: given.whole('drain-delay'),
      tls: tlsOf(given),
      metrics: given.text('metrics'),
    };
    if (given.flag('check')) return check(given, terminal, options, listen);
    const answerUntilEnd = async (gateway: Gateway) => {
      const { url, host, port, metricsUrl } = await gateway.listen(listen);
      // Before the address is printed, because the reader may send a signal at once.
      const ended = endOfService();
      if (options.publicUrl === undefined && /^(0\.0\.0\.0|::)$/.test(host)) {
        note(
          'WARN',
          `Links and the URLs of files begin with ${url}, which other machines cannot open: add --public-url.`,
        );
      }
      const reachedBy = options.publicUrl ?? url;
      if (!LOOPBACK.test(host) && reachedBy.startsWith('http:')) {
        note(
          'WARN',
          `${host} is reached by other machines without TLS, so ` +
            'keys and answers can be read on the way, and newer SDKs refuse to send a key: add --tls-cert and --tls-key, ' +
            'or name the https URL of your reverse proxy with --public-url.',
        );
      }
      const store = shownStoreOf(given);
      const makeKey = `npx proxy-execute keys create${sameStore(given)}`;
      terminal.result({ url, host, port, store, metrics: metricsUrl }, () => [
        `Listening on ${terminal.styled('bold', url)}, with the store ${store}.`,
        `Create an API key with: ${makeKey}`,
        `Programs connect with:  COMPOSIO_BASE_URL=${options.publicUrl ?? url} COMPOSIO_API_KEY=<the key>`,
        ...(metricsUrl === undefined ? [] : [`Prometheus reads:       ${metricsUrl}`]),
      ]);
      await ended;
      const delay = (given.whole('drain-delay') ?? 0) / 1_000;
      note(
        'INFO',
        delay > 0
          ? `Draining for ${delay} seconds; then the gateway closes.`
          : 'Closing; calls in flight have 5 seconds.',
      );
      return 0;
    };
    return inStore(given, terminal, answerUntilEnd, options);
  },
};

/** The value of an option, or else of a variable, which is one of these. */
function oneOf(given: Given, option: string, variable: string, values: readonly string[]): string | undefined {
  const value = given.text(option) ?? process.env[variable];
  if (value === undefined || values.includes(value)) return value;
  const what = given.text(option) === undefined ? `The variable ${variable}` : `--${option}`;
  throw new UsageError(`${what} is one of ${values.join(', ')}.`);
}

/**
 * Checks the options with a gateway in memory, which listens on a free port for a moment, and the store without
 * changing it.
 */
async function check(
  given: Given,
  terminal: Terminal,
  { files, ...options }: GatewayOptions,
  listen: ListenOptions,
): Promise<number> {
  const store = storeOf(given);
  const encryptionKey = encryptionKeysOf(given, terminal);
  // A file that does not exist yet is made by `serve`.
  const checked = isDatabase(store) || existsSync(store) ? await checkStore(store, encryptionKey) : undefined;
  // The folder for files would be created.
  const inMemory = { ...files, folder: undefined, s3: undefined };
  const gateway = await Gateway.open({ ...options, encryptionKey, toolkits: given.texts('toolkit'), files: inMemory });
  try {
    await gateway.listen({ ...listen, port: 0, metrics: listen.metrics && anyPort(listen.metrics) });
  } finally {
    await gateway.close();
  }
  const pending = checked?.pendingMigrations ?? 0;
  const shown = shownStoreOf(given);
  terminal.result({ store: shown, exists: checked !== undefined, pendingMigrations: pending }, () => [
    checked === undefined
      ? `The options are valid. There is no store at ${shown} yet: \`serve\` creates it.`
      : `The options are valid, and the key opens the store ${shown}.`,
  ]);
  if (pending > 0) terminal.warn(`${pending} migrations of its schema are pending. Back it up before \`serve\`.`);
  return 0;
}

/** An address with a free port instead of one that a gateway may be using now. */
function anyPort(address: string): string {
  return address.replace(/:(\d+)$/, (port) => (Number(port.slice(1)) <= 65_535 ? ':0' : port));
}

/** Addresses that only this machine can reach. */
const LOOPBACK = /^(127\.[\d.]+|::1|::ffff:127\.[\d.]+)$/;

function tlsOf(given: Given): { cert: string; key: string } | undefined {
  const [cert, key] = [given.text('tls-cert'), given.text('tls-key')];
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) throw new UsageError('--tls-cert and --tls-key need each other.');
  return { cert, key };
}

function filesOf(given: Given, terminal: Terminal): FilesOptions {
  return {
    ...placeOf(given.text('files')),
    expiresIn: given.whole('files-expire-after'),
    maxBytes: given.whole('files-max-bytes'),
    maxOpen: given.whole('files-max-open'),
    signingKeys: keysOf(given, terminal, 'files-signing-key')?.texts,
  };
}

/** A folder, or a bucket, whose region, keys and endpoint the environment has. */
function placeOf(place: string | undefined): FilesOptions {
  const [, bucket, prefix] = /^s3:\/\/([^/]+)\/?(.*)$/s.exec(place ?? '') ?? [];
  if (bucket !== undefined) return { s3: { bucket, prefix: prefix || undefined } };
  if (place?.startsWith('s3:')) throw new UsageError('--files is a folder, or written --files s3://bucket/prefix.');
  return place === undefined ? {} : { folder: place };
}

/** The interval at which the parent process is checked, in milliseconds. */
const PARENT_INTERVAL = 500;

const PARENT = process.ppid;

/**
 * Waits for a signal to end. A second signal ends the process at once.
 *
 * `npx` ends on a signal without telling this process, which then has another parent.
 */
function endOfService(): Promise<void> {
  const signals = ['SIGINT', 'SIGTERM'] as const;
  return new Promise((resolve) => {
    let watch: NodeJS.Timeout | undefined;
    const end = () => {
      clearInterval(watch);
      for (const signal of signals) process.off(signal, end);
      resolve();
    };
    for (const signal of signals) process.on(signal, end);
    if (process.env.npm_command === 'exec') {
      watch = setInterval(() => process.ppid === PARENT || end(), PARENT_INTERVAL);
    }
  });
}
