// The options of a gateway. Their checks, their wire names and flags of `serve` follow from one table.

import type { ToolkitDefinition } from './toolkit';
import { Check, kindOf } from './validate';

/** Options of {@link Gateway.open}. */
export interface GatewayOptions {
  /**
   * The file for accounts, sessions and API keys, which is created if it does not exist; or the URL of a PostgreSQL
   * database, such as `postgres://user@host:5432/database`, which several gateways may share.
   * Default: in memory, until the gateway is closed.
   */
  store?: string;
  /** Upper limit for the connections to a database. Default: 10. */
  maxConnections?: number;
  /** Time for a statement of a database, and for the wait for a connection, in milliseconds. Default: 10 000. */
  statementTimeout?: number;
  /**
   * Whether a database is brought to the schema of this version. A file always is. Default: false, and a database
   * with an older schema is refused: `proxy-execute store migrate` changes it.
   */
  migrate?: boolean;
  /**
   * The key that encrypts credentials: 32 random bytes, in hexadecimal or base64. A store in a file
   * or a database needs one: `npx proxy-execute encryption-key` creates one. Keep it apart from the file: without the key the
   * credentials are lost. A list, or a text with commas or white space, has several keys: the first one encrypts,
   * and all decrypt. Default for a store in memory: a random key.
   */
  encryptionKey?: string | readonly string[];
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
  /** Such hosts to which webhooks may be sent. Default: none. */
  allowPrivateWebhooks?: readonly string[];
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
  /** How long a session works after its creation, in milliseconds. Default: until it is deleted. */
  sessionLifetime?: number;
  /**
   * How long a session works after its last use, in milliseconds. The end may come a tenth of this time later, because
   * not every use is noted. Default: until it is deleted.
   */
  sessionIdleTimeout?: number;
  /** How many calls the record keeps. 0 keeps none. Default: 1 000 000, and 10 000 for a store in memory. */
  callsKept?: number;
  /** How long the record keeps a call, in milliseconds. Default: without a limit. */
  callsKeptFor?: number;
  /** Whether a port serves each session to MCP clients, at `session.mcp.url`. Default: true. */
  mcp?: boolean;
  /**
   * The URL of a collector that takes traces over OTLP/HTTP, such as `http://localhost:4318`. Default: that of the
   * variable `OTEL_EXPORTER_OTLP_ENDPOINT`. Without either, calls are not traced.
   */
  otlpEndpoint?: string;
  /** The slugs of toolkits whose APIs get the header `traceparent` of a traced call. Default: none. */
  propagateTrace?: readonly string[];
}

/** How files of responses are stored. */
export interface FilesOptions {
  /**
   * The folder for the files. It is created if it does not exist. Default: beside the store
   * (`gateway.db.files`), or a temporary folder for a store in memory or in a database.
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
   * all keys verify. Default: keys derived from the encryption keys.
   */
  signingKeys?: readonly string[];
}

/** How an option is checked and written. */
interface Option {
  check(check: Check, value: unknown, path: string): void;
  /** The suffix of its wire name, which is otherwise the name in snake case. */
  suffix?: '_ms';
  /** The form on the wire, if it is not the value. */
  write?(value: unknown): unknown;
  /** The smallest value, and the help text of the flag of `serve`, for an option that has such a flag. */
  flag?: { least: number; description: string };
}

const OPTIONS: Readonly<Record<keyof GatewayOptions, Option>> = {
  store: { check: text },
  maxConnections: whole(1, 'Connections to a database. Default: 10'),
  statementTimeout: time(1, 'Time for a statement of a database. Default: 10'),
  migrate: { check: (check, value, path) => check.optionalFlag(value, path) },
  encryptionKey: { check: (check, value, path) => (Array.isArray(value) ? texts : text)(check, value, path) },
  toolkits: { check: checkToolkits },
  allowPrivateHosts: { check: texts },
  allowPrivateRedirects: { check: texts },
  allowPrivateBodies: { check: texts },
  allowPrivateWebhooks: { check: texts },
  maxResponseBytes: whole(1, 'Upper limit for a response held in memory, after decompression. Default: 50 MiB'),
  maxExpansion: whole(1, 'How many times its compressed size a file or stream from an API may have. Default: 200'),
  maxUploadBytes: whole(1, 'Upper limit for a body of bytes sent to an API. Default: 5 GiB'),
  upstreamTimeout: time(1, "Time for an API's whole response. Default: 55"),
  refreshIdleAfter: time(1),
  chunkTimeout: time(1, 'Time for the next bytes of an upload, a file or a stream. Default: 30'),
  files: { check: checkFiles, write: (files) => writeFiles(files as FilesOptions) },
  publicUrl: { check: text },
  callbackUrls: { check: texts },
  ownCallbackPaths: { check: (check, value, path) => check.optionalFlag(value, path) },
  linkLifetime: time(1_000, 'Lifetime of a link. Default: 600'),
  sessionLifetime: time(1, 'Time after its creation at which a session ends. Default: never'),
  sessionIdleTimeout: time(1, 'Time without a call after which a session ends. Default: never'),
  callsKept: whole(0, 'Calls that the record keeps. Default: 1000000'),
  callsKeptFor: time(1, 'Time that the record keeps a call. Default: without a limit'),
  mcp: { check: (check, value, path) => check.optionalFlag(value, path) },
  otlpEndpoint: { check: text },
  propagateTrace: { check: texts },
};

/** The flags of `serve` that are whole numbers, with the options that they set. A time is in seconds. */
export const NUMBER_FLAGS = Object.entries(OPTIONS).flatMap(([name, { suffix = '', flag }]) => {
  if (flag === undefined) return [];
  const unit = suffix === '_ms' ? 1_000 : 1;
  const wireName = separated(name, '_') + suffix;
  return [{ name, wireName, flag: separated(name, '-'), unit, ...flag, least: Math.ceil(flag.least / unit) }];
});

/** Checks the options, and writes them for the native gateway. */
export function writeGatewayOptions(options: GatewayOptions): string {
  const check = new Check('options of the gateway');
  if (check.object(options, '', Object.keys(OPTIONS))) {
    for (const [name, option] of Object.entries(OPTIONS)) {
      if (options[name] !== undefined) option.check(check, options[name], name);
    }
  }
  check.done();
  const wire = Object.entries(OPTIONS).map(([name, { suffix = '', write }]) => {
    const value = options[name as keyof GatewayOptions];
    return [separated(name, '_') + suffix, value && write ? write(value) : value];
  });
  return JSON.stringify(Object.fromEntries(wire));
}

/** A name in camel case as words in lower case. */
function separated(name: string, separator: '-' | '_'): string {
  return name.replace(/[A-Z]/g, (letter) => separator + letter.toLowerCase());
}

function text(check: Check, value: unknown, path: string): void {
  check.text(value, path);
}

function texts(check: Check, value: unknown, path: string): void {
  check.texts(value, path);
}

function whole(least: number, description?: string): Option {
  return {
    check: (check, value, path) => check.optionalWhole(value, path, least),
    flag: description === undefined ? undefined : { least, description },
  };
}

/** A time in milliseconds. */
function time(least: number, description?: string): Option {
  return { ...whole(least, description), suffix: '_ms' };
}

const FILES_KEYS = ['folder', 's3', 'expiresIn', 'maxBytes', 'maxOpen', 'signingKeys'];
const S3_KEYS = ['bucket', 'prefix', 'region', 'endpoint', 'accessKeyId', 'secretAccessKey'];

function checkToolkits(check: Check, toolkits: unknown): void {
  if (!check.list(toolkits, 'toolkits')) return;
  for (const [index, toolkit] of toolkits.entries()) checkToolkit(check, toolkit, `toolkits[${index}]`);
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

/** Checks the type only: the gateway checks the content of definitions, like that of TOML files. */
function checkToolkit(check: Check, toolkit: unknown, path: string): void {
  const isPath = typeof toolkit === 'string' && toolkit !== '';
  const isDefinition = typeof toolkit === 'object' && toolkit !== null && !Array.isArray(toolkit);
  if (!isPath && !isDefinition) {
    check.wrong(path, `must be a path or a definition of a toolkit, but is ${kindOf(toolkit)}.`);
  }
}
