/** An interface that compares every response with `/openapi.json`. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020';
import { Composio } from '../../index.js';
import type { Way } from './ways';

interface Operation {
  responses: Record<string, { content?: Record<string, { schema?: object }> }>;
}

interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
}

/** A port, over HTTP, through a server that checks each response. It reports the differences at the end. */
export const asDescribed: Way = async (gateway) => {
  const { url } = await gateway.listen();
  const { key } = await gateway.apiKeys.create({ name: 'conformance' });
  const description = new Description((await (await fetch(`${url}/openapi.json`)).json()) as Document);
  const problems = new Set<string>();
  let looked = 0;

  const server = createServer((asked, answer) => {
    const { method = '', url: path = '', headers } = asked;
    const onward = request(new URL(path, url), { method, headers }, async (answered) => {
      const status = answered.statusCode ?? 0;
      try {
        const body = await bytes(answered);
        answer.writeHead(status, answered.rawHeaders).end(body);
        looked++;
        // Streamed responses are for clients of this package: docs/wire.md describes them, and the document does not.
        if (headers['x-proxy-execute-response'] === 'stream' && status === 200) return;
        const problem = description.problemOf(method, path, status, answered.headers['content-type'], body);
        if (problem !== undefined) problems.add(`${method} ${path} → ${status}: ${problem}`);
      } catch {
        answer.destroy();
      }
    });
    // If the caller disconnects, the request is cancelled, as without this server.
    onward.on('error', () => answer.destroy());
    answer.on('close', () => answer.writableFinished || onward.destroy());
    asked.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const baseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    remote: true,
    composio: (options) => new Composio({ apiKey: key, baseURL, ...options }),
    close: async () => {
      server.close();
      server.closeAllConnections();
      assert.deepEqual([...problems], []);
      assert.notEqual(looked, 0);
    },
  };
};

async function bytes(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The OpenAPI document of a gateway, as a check for responses. */
class Description {
  readonly #document: Document;
  readonly #paths: { matches: RegExp; template: string }[];
  readonly #validate: Ajv2020;

  constructor(document: Document) {
    assert.match(document.openapi, /^3\.1\./, 'whose schemas are JSON Schema 2020-12');
    this.#document = document;
    // If several paths match, the path with the fewest parameters is meant.
    this.#paths = Object.keys(document.paths)
      .sort((one, other) => one.split('{').length - other.split('{').length)
      .map((template) => ({ template, matches: new RegExp(`^${template.replace(/\{[^}]+\}/g, '[^/]+')}$`) }));
    this.#validate = new Ajv2020({
      strict: false,
      allErrors: true,
      formats: { 'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/, int32: true, int64: true, uri: true },
    });
    this.#validate.addSchema(document, 'openapi');
  }

  /** The difference between a response and the document, if there is one. */
  problemOf(
    method: string,
    path: string,
    status: number,
    contentType: string | undefined,
    body: Buffer,
  ): string | undefined {
    // The document describes the newest version; the older version is the same.
    const described = path.replace(/\?.*/s, '').replace(/^\/api\/v3\//, '/api/v3.1/');
    const template = this.#paths.find(({ matches }) => matches.test(described))?.template;
    if (template === undefined) return 'the path is not described';
    const verb = method.toLowerCase();
    const operation = this.#document.paths[template]?.[verb];
    if (operation === undefined) return 'the verb is not described';
    const content = operation.responses[String(status)]?.content;
    if (content === undefined) return 'the status is not described';
    const type = contentType?.replace(/;.*/s, '') ?? '';
    if (content[type]?.schema === undefined) return `the content type ${contentType} is not described`;

    const steps = ['paths', template, verb, 'responses', String(status), 'content', type, 'schema'];
    const pointer = steps.map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1')));
    const schema = this.#validate.getSchema(`openapi#/${pointer.join('/')}`) as ValidateFunction;
    if (schema(JSON.parse(body.toString()))) return undefined;
    return this.#validate.errorsText(schema.errors, { dataVar: 'answer' });
  }
}
