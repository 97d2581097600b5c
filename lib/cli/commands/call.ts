// `call`: one call to a third-party API, as a user.

import { isUtf8 } from 'node:buffer';
import { accessSync, constants, existsSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { buffer as readAll } from 'node:stream/consumers';
import { type BinaryBody, sending } from '../../binary-body';
import { Composio } from '../../composio';
import { type Gateway, nativeBackendOf } from '../../gateway';
import { answerOf } from '../../native';
import {
  type ProxyExecuteRequest,
  type ProxyMethod,
  type ProxyParameter,
  readEnvelope,
  type ToolsProxyExecuteResponse,
  type WrittenRequest,
  writeSessionRequest,
} from '../../proxy-request';
import type { Session } from '../../session';
import { ALLOW_PRIVATE, type Command, type Given, pair, privateHosts, UsageError } from '../command';
import { checkFile, readFile } from '../file';
import { inExistingStore } from '../store';
import { printable, type Terminal } from '../terminal';

export const call: Command = {
  name: 'call',
  summary: 'Calls a toolkit as a user. The body goes to standard output, status and headers to standard error',
  parameters: ['<toolkit>', '<method>', '<endpoint>'],
  options: {
    user: { value: '<id>', required: true, description: 'Your own id of the user' },
    data: { value: '<body>', description: 'The body: a text, @file, or - for standard input' },
    output: { value: '<file>', description: 'The file for the body of the response, instead of standard output' },
    header: { value: '<name>:<value>', many: true, description: 'A header' },
    query: { value: '<name>=<value>', many: true, description: 'A query value' },
    account: { value: '<id>', description: "The account, ca_…. Default: the user's latest one" },
    timeout: { value: '<seconds>', whole: true, least: 1, description: 'Time for the whole call. Default: 60' },
    ...ALLOW_PRIVATE,
  },
  examples: [
    'npx proxy-execute call github GET /user --user ann',
    'npx proxy-execute call github POST /repos/ann/notes/issues --user ann --data \'{"title":"Found a bug"}\'',
    'npx proxy-execute call slack POST /chat.postMessage --user ann --data @message.json --json',
    'npx proxy-execute call github GET /search/issues --user ann --query q=is:open --header Accept:application/json',
  ],
  async run(given, terminal) {
    checkOutput(given.text('output'));
    const request = await requestOf(given);
    const options = { ...privateHosts(given), upstreamTimeout: timeoutOf(given) };
    return inExistingStore(given, terminal, (gateway) => send(gateway, given, terminal, request), options);
  },
};

function timeoutOf(given: Given): number {
  return (given.whole('timeout') ?? 60) * 1_000;
}

async function send(gateway: Gateway, given: Given, terminal: Terminal, request: WrittenRequest): Promise<number> {
  const [toolkit = ''] = given.parameters;
  const [account, output] = [given.text('account'), given.text('output')];
  const timeout = timeoutOf(given);
  const composio = new Composio({ gateway, timeout });
  const session = await composio.create(given.text('user') ?? '', {
    toolkits: [toolkit],
    connectedAccounts: account === undefined ? undefined : { [toolkit]: account },
  });
  try {
    const backend = nativeBackendOf(gateway);
    // JSON is printed as it travels, and as text it is the API's own, to the last digit.
    const asText = !terminal.json || output !== undefined;
    const answer = sending(request.source, async (upload) => {
      const call = () => backend.proxyExecute(session.sessionId, request.text, upload, asText, timeout);
      const text = await answerOf(call);
      return { text, ...readEnvelope(text) };
    });
    const { text, ...envelope } = await terminal.during(`Calling ${toolkit}`, answer);
    if (output === undefined) return print(terminal, text);
    await terminal.during(`Writing ${output}`, write(session, envelope, output));
    return print(terminal, text, output);
  } finally {
    await session.delete();
  }
}

/** Writes the body, even of an error and even if empty, so that no older file is mistaken for this response. */
async function write(session: Session, answer: ToolsProxyExecuteResponse, output: string): Promise<void> {
  try {
    if (answer.binary_data) await (await session.download(answer.binary_data)).toFile(output);
    else writeFileSync(output, String(answer.data ?? ''));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`The API responded with ${answer.status}, but its body could not be written to ${output}: ${why}`);
  }
}

/** Runs before the call, which may be a call that cannot be repeated. */
function checkOutput(output: string | undefined): void {
  if (output === undefined) return;
  const isThere = existsSync(output);
  if (isThere && !statSync(output).isFile()) throw new UsageError(`--output: ${output} exists, but is not a file.`);
  try {
    accessSync(isThere ? output : `${dirname(output)}/.`, constants.W_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const what = isThere ? output : `the folder ${dirname(output)}`;
    throw new UsageError(`--output: ${what} cannot be written to (${code}).`);
  }
}

function print(terminal: Terminal, answer: string, output?: string): number {
  const { status, headers = {}, headersList, data, binary_data: file } = readEnvelope(answer);
  if (terminal.json) {
    process.stdout.write(`${output === undefined ? answer : JSON.stringify({ status, headers, output })}\n`);
  } else {
    const style = status < 400 ? 'green' : 'red';
    terminal.note(terminal.styled(style, String(status), process.stderr));
    for (const [name, value] of headersList) terminal.note(printable(`${name}: ${value}`));
    if (output !== undefined) terminal.note(`The body is in ${output}.`);
    else if (file) terminal.note(`The body is a file of ${file.size} bytes: add --output.`);
    else if (typeof data === 'string') process.stdout.write(process.stdout.isTTY ? `${data}\n` : data);
  }
  return status < 400 ? 0 : 1;
}

/** The request as it travels. The body goes in as its own text, so that no number of it is rounded. */
async function requestOf(given: Given): Promise<WrittenRequest> {
  const [toolkit = '', method = '', endpoint = ''] = given.parameters;
  const place = (location: ProxyParameter['in'], separator: string) => (text: string) => {
    const [name, value] = pair(text, separator, `--${location}`);
    return { name, value, in: location };
  };
  const parameters = [
    ...given.texts('header').map(place('header', ':')),
    ...given.texts('query').map(place('query', '=')),
  ];
  const request = { toolkit, endpoint, method: method.toUpperCase() as ProxyMethod, parameters };
  const data = given.text('data');
  if (data === undefined) return writeSessionRequest(request);
  if (request.method === 'GET' || request.method === 'HEAD') {
    throw new UsageError(`--data cannot be sent with ${request.method}: pass the values with --query, or use POST.`);
  }
  const header = parameters.find(({ name, in: at }) => at === 'header' && name.toLowerCase() === 'content-type');
  const type = header?.value.split(';', 1)[0]?.trim().toLowerCase() ?? 'application/json';
  if (!TEXT.test(type)) return writeSessionRequest({ ...request, binaryBody: bytesOf(data) });
  const text = await textOf(data);
  if (/[/+]json$/.test(type)) return withBody(request, jsonOf(text));
  // Text in another encoding is not read: to turn it into UTF-8 would change it.
  if (!isUtf8(text)) return writeSessionRequest({ ...request, binaryBody: text });
  return withBody(request, JSON.stringify(text.toString()));
}

/** The media types whose bodies are text. A body of any other is bytes, and is not read as anything else. */
const TEXT = /^(text\/.+|.+\+(json|xml)|application\/(json|xml|x-www-form-urlencoded))$/;

function withBody(request: ProxyExecuteRequest, body: string): WrittenRequest {
  const written = writeSessionRequest(request);
  return { ...written, text: `${written.text.slice(0, -1)},"body":${body}}` };
}

/** Bytes that are sent as they are read, however many there are. */
function bytesOf(data: string): BinaryBody {
  if (data === '-') return process.stdin;
  if (!data.startsWith('@')) return Buffer.from(data);
  const path = data.slice(1);
  checkFile(path, '--data');
  return { path };
}

async function textOf(data: string): Promise<Buffer> {
  if (data === '-') return readAll(process.stdin);
  return data.startsWith('@') ? readFile(data.slice(1), '--data') : Buffer.from(data);
}

/** JSON is sent unchanged. */
function jsonOf(bytes: Buffer): string {
  const text = bytes.toString();
  try {
    if (isUtf8(bytes) && JSON.parse(text) !== undefined) return text;
  } catch {
    // Told below.
  }
  throw new UsageError('--data is not JSON. For other data, add its type, as in --header Content-Type:text/plain.');
}
