// `serve`: a gateway on a port, until it is told to end.

import type { FilesOptions, Gateway } from '../../gateway';
import { native } from '../../native';
import { ALLOW_PRIVATE_HOST, type Command, UsageError } from '../command';
import { inStore, storeOf } from '../store';

const LOG_LEVELS: readonly string[] = ['off', 'error', 'warn', 'info', 'debug', 'trace'];

export const serve: Command = {
  name: 'serve',
  summary: 'Answers on a port',
  parameters: [],
  options: {
    host: { value: '<address>', description: 'The address. Default: 127.0.0.1, which only this machine reaches' },
    port: { value: '<number>', whole: true, description: 'The port. Default: 9900; 0 takes one that is free' },
    'rate-limit': {
      value: '<number>',
      whole: true,
      description: 'How many requests a key may make in a minute of this process. Default: no limit',
    },
    'public-url': {
      value: '<url>',
      description: 'Where others reach this gateway: links and the URLs of files lead there',
    },
    'refresh-idle-after': {
      value: '<hours>',
      whole: true,
      description: 'After how long without a refresh an idle account is refreshed. Default: 24; 0 for never',
    },
    'callback-url': {
      value: '<url>',
      many: true,
      description:
        'An origin or prefix that people may be sent on to after a link. Default: any https, and this machine',
    },
    files: {
      value: '<place>',
      description: 'Where files are kept: a folder, or s3://bucket/prefix. Default: a folder beside the store',
    },
    'log-level': {
      value: '<level>',
      description:
        'What is logged on the standard error output: off, error, warn, info (each call) or debug. Default: ' +
        'the variable PROXY_EXECUTE_LOG, or warn',
    },
    'allow-private-host': ALLOW_PRIVATE_HOST,
  },
  examples: [
    'npx proxy-execute serve',
    'npx proxy-execute serve --host 0.0.0.0 --port 8080 --public-url https://gateway.example.com --rate-limit 600',
    'npx proxy-execute serve --store /var/lib/gateway.db --encryption-key-file /run/secrets/gateway.key',
  ],
  run(given, terminal) {
    const level = given.text('log-level') ?? process.env.PROXY_EXECUTE_LOG ?? 'warn';
    if (!LOG_LEVELS.includes(level)) throw new UsageError(`--log-level is one of ${LOG_LEVELS.join(', ')}.`);
    native.logFrom(level);
    const idleHours = given.whole('refresh-idle-after') ?? 24;
    const options = {
      refreshIdleAfter: idleHours === 0 ? undefined : idleHours * 3_600_000,
      publicUrl: given.text('public-url'),
      callbackUrls: given.texts('callback-url'),
      allowPrivateHosts: given.texts('allow-private-host'),
      files: filesIn(given.text('files')),
    };
    const listen = {
      host: given.text('host'),
      port: given.whole('port') ?? 9900,
      requestsPerMinute: given.whole('rate-limit'),
    };
    const answerUntilEnd = async (gateway: Gateway) => {
      const { url, host, port } = await gateway.listen(listen);
      if (options.publicUrl === undefined && /^(0\.0\.0\.0|::)$/.test(host)) {
        terminal.note(
          `${terminal.styled('yellow', 'warning:', process.stderr)} Links and the URLs of files begin with ${url}, ` +
            'which other machines cannot open: add --public-url.',
        );
      }
      const makeKey = `npx proxy-execute keys create --store ${storeOf(given)}`;
      terminal.result({ url, host, port, store: storeOf(given) }, () => [
        `Listening on ${terminal.styled('bold', url)}, with the store ${storeOf(given)}.`,
        `An API key is made by: ${makeKey}`,
        `Programs find it by:   COMPOSIO_BASE_URL=${url} COMPOSIO_API_KEY=<the key>`,
      ]);
      await endOfService();
      terminal.note('Closing; calls that are under way have 5 seconds.');
      return 0;
    };
    return inStore(given, terminal, answerUntilEnd, options);
  },
};

/** A folder, or a bucket, whose region, keys and endpoint the environment has. */
function filesIn(place: string | undefined): FilesOptions | undefined {
  const [, bucket, prefix] = /^s3:\/\/([^/]+)\/?(.*)$/s.exec(place ?? '') ?? [];
  if (bucket !== undefined) return { s3: { bucket, prefix: prefix || undefined } };
  if (place?.startsWith('s3:')) throw new UsageError('--files is a folder, or written --files s3://bucket/prefix.');
  return place === undefined ? undefined : { folder: place };
}

/** Until the process is asked to end. Asked a second time, it ends at once. */
function endOfService(): Promise<void> {
  const signals = ['SIGINT', 'SIGTERM'] as const;
  return new Promise((resolve) => {
    const end = () => {
      for (const signal of signals) process.off(signal, end);
      resolve();
    };
    for (const signal of signals) process.on(signal, end);
  });
}
