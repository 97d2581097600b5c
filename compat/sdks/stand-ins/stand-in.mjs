/**
 * A third-party API on loopback. It has the routes that a test uses, and is strict: a request without the account's
 * credential, with another credential, or to a route that it does not have is a problem, which `check` reports.
 */

import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';

/** The text in every key that an SDK is given instead of a credential. It must never arrive at an API. */
export const DUMMY = 'no-secret-here';

/** A request as a route sees it. */
class Received {
  constructor(request, body, url, params, account) {
    this.account = account;
    this.method = request.method;
    this.headers = request.headers;
    this.path = url.pathname;
    this.query = url.searchParams;
    this.params = params;
    this.body = body;
  }

  /** The body, which must be labelled as JSON. */
  json() {
    assert.match(this.headers['content-type'] ?? '', /^application\/(\w+\+)?json\b/);
    return JSON.parse(this.body.toString());
  }

  /** The fields of the body, which must be labelled as a URL-encoded form. */
  form() {
    assert.match(this.headers['content-type'] ?? '', /^application\/x-www-form-urlencoded\b/);
    return Object.fromEntries(new URLSearchParams(this.body.toString()));
  }

  /** The parts of a `multipart/form-data` body. */
  multipart() {
    const type = this.headers['content-type'] ?? '';
    assert.match(type, /^multipart\/form-data; *boundary=/);
    return new Response(this.body, { headers: { 'content-type': type } }).formData();
  }

  /** The parts of a `multipart/related` body: their types and their texts. */
  related() {
    const [, boundary] = /^multipart\/related; *boundary="?([^";]+)/.exec(this.headers['content-type'] ?? '') ?? [];
    assert.notEqual(boundary, undefined);
    const parts = this.body.toString('latin1').split(`--${boundary}`);
    assert.match(parts.at(-1), /^--/);
    return parts.slice(1, -1).map((part) => {
      const [head, ...text] = part.slice(2, -2).split('\r\n\r\n');
      return { type: /content-type: *(.*)/i.exec(head)?.[1], text: text.join('\r\n\r\n') };
    });
  }
}

export class StandIn {
  #server;
  #credentials;
  #routes;
  #refusal;
  #problems = [];
  /** Emits `abandoned` when a client leaves before the end of a response. */
  events = new EventEmitter();
  /** The requests that have arrived, such as `GET /user`. */
  requests = [];
  /** Texts that must not arrive, beside the dummy. */
  forbidden;

  /**
   * `credential` has the headers that every request must have, each once. With several accounts, it is a list, and a
   * request's `account` is the place of its own. `routes` are `METHOD /path/:param` with
   * a function from the request to `{ status, headers, body }`, or to a value that is sent as JSON. A body may be
   * an async iterable. `refusal` is the body of the API's 401.
   */
  static async start({ credential, routes, refusal = { message: 'Bad credentials' }, forbidden = [] }) {
    const standIn = new StandIn();
    standIn.#credentials = [credential].flat();
    standIn.#refusal = refusal;
    standIn.forbidden = [...forbidden];
    standIn.#routes = Object.entries(routes).map(([route, handle]) => {
      const [method, path] = route.split(' ');
      // A colon that is part of a path, as in `/v1:batch`, does not follow a slash.
      const pattern = path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/(?<=\/):(\w+)/g, '(?<$1>[^/]+)');
      return { method, path: new RegExp(`^${pattern}$`), handle };
    });
    standIn.#server = createServer((request, response) => standIn.#serve(request, response));
    standIn.#server.listen(0, '127.0.0.1');
    await once(standIn.#server, 'listening');
    return standIn;
  }

  get host() {
    return `127.0.0.1:${this.#server.address().port}`;
  }

  get origin() {
    return `http://${this.host}`;
  }

  /** Fails if a request was not as it has to be. Returns the requests since the last check. */
  check() {
    const requests = this.requests.splice(0);
    assert.deepEqual(this.#problems.splice(0), [], `problems of ${requests.join(', ')}`);
    return requests;
  }

  async close() {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #serve(request, response) {
    const body = Buffer.concat(await request.toArray());
    const url = new URL(request.url, this.origin);
    const name = `${request.method} ${url.pathname}`;
    this.requests.push(name);
    try {
      const answer = (await this.#respond(request, body, url)) ?? { status: 204 };
      const { status = 200, headers, body: content } = isResponse(answer) ? answer : { body: answer };
      response.on('close', () => response.writableFinished || this.events.emit('abandoned', name));
      await send(response, status, headers, content);
    } catch (error) {
      this.#problems.push(`${name}: ${error.message}`);
      response.headersSent ? response.destroy() : send(response, 400, {}, { message: `${error.message}` });
    }
  }

  #respond(request, body, url) {
    const wrongs = this.#credentials.map((credential) => wrongCredential(credential, request));
    const account = wrongs.indexOf(undefined);
    const wrong = account < 0 ? wrongs[0] : this.#leak(request, body);
    if (wrong !== undefined) {
      this.#problems.push(`${request.method} ${url.pathname}: ${wrong}`);
      return { status: 401, body: this.#refusal };
    }
    for (const { method, path, handle } of this.#routes) {
      const match = method === request.method ? path.exec(url.pathname) : null;
      if (match !== null) return handle(new Received(request, body, url, { ...match.groups }, account));
    }
    throw new Error('there is no such route');
  }

  #leak({ rawHeaders, url }, body) {
    const places = { headers: rawHeaders.join('\n'), URL: decodeURIComponent(url), body: body.toString('latin1') };
    for (const [place, text] of Object.entries(places)) {
      for (const forbidden of [DUMMY, ...this.forbidden]) {
        const encoded = Buffer.from(`:${forbidden}`).toString('base64').slice(2, -2);
        if (text.includes(forbidden) || text.includes(encoded)) return `the SDK's own key is in the ${place}`;
      }
      // A key of a gateway is for the gateway.
      if (/\bak_[\w-]{20,}/.test(text)) return `a gateway's key is in the ${place}`;
    }
  }
}

/** The difference of a request's credential from this one, if there is any. */
function wrongCredential(credential, { rawHeaders }) {
  for (const [name, value] of Object.entries(credential)) {
    const values = rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1].toLowerCase() === name);
    if (values.length !== 1) return `${name} is there ${values.length} times`;
    if (values[0] !== value) return `${name} is not that of the account`;
  }
}

/** Whether a route's value is a response, and not data. */
function isResponse(value) {
  return Object.keys(value).every((key) => ['status', 'headers', 'body'].includes(key)) && 'status' in value;
}

async function send(response, status, headers = {}, body = undefined) {
  if (body?.[Symbol.asyncIterator] !== undefined) {
    response.writeHead(status, headers);
    for await (const part of body) {
      if (response.destroyed) return;
      response.write(part);
    }
    response.end();
    return;
  }
  const isText = typeof body === 'string' || body instanceof Uint8Array;
  const type = isText || body === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' };
  response.writeHead(status, { ...type, ...headers });
  response.end(isText ? body : JSON.stringify(body));
}

/** Server-sent events, one at a time. An event may have a name. All but the first wait for the gate, if there is one. */
export async function* events(list, gate) {
  for (const { name, data } of list) {
    if (name !== undefined) yield `event: ${name}\n`;
    yield `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;
    await (gate ?? new Promise(setImmediate));
  }
}
