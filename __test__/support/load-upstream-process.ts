/** The process of {@link LoadUpstream}. It ends with the process that started it. */

import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Command, Held } from './load-upstream';

const ANSWER = JSON.stringify({ id: 12345, title: 'An issue', labels: ['a', 'b'], body: 'x'.repeat(900) });

const waiting = new Map<number, ServerResponse>();
const gone: number[] = [];
const answered: number[] = [];

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://upstream');
  response.setHeader('content-type', 'application/json');
  request.resume();
  if (!pathname.endsWith('/hold') && !pathname.endsWith('/half')) {
    response.setHeader('content-length', ANSWER.length);
    response.end(ANSWER);
    return;
  }
  const call = Number(searchParams.get('call'));
  waiting.set(call, response);
  response.on('close', () => {
    waiting.delete(call);
    if (response.writableFinished) answered.push(call);
    else gone.push(call);
  });
  if (pathname.endsWith('/half')) response.write('{"first":');
});

process.on('message', (command: Command) => {
  if (command === 'release') {
    for (const [call, response] of waiting) {
      response.end(response.headersSent ? `{"call":${call}}}` : `{"call":${call}}`);
    }
  }
  const sorted = (calls: Iterable<number>) => [...calls].sort((a, b) => a - b);
  const held: Held = { waiting: sorted(waiting.keys()), gone: sorted(gone), answered: sorted(answered) };
  process.send?.(held);
});
process.on('disconnect', () => process.exit());

// Thousands of connections are opened at once.
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  process.send?.((server.address() as AddressInfo).port);
});
server.keepAliveTimeout = 60_000;
