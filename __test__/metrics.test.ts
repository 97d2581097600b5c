/**
 * The metrics of a gateway in this process, the address on which Prometheus reads them, and the diagnostics channel of calls.
 */

import assert from 'node:assert/strict';
import { type Channel, tracingChannel } from 'node:diagnostics_channel';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { type CallTrace, Composio, ComposioError, type Gateway, type Session, ValidationError } from '../index.js';
import { connect, openGateway } from './support/acme';
import { rejection, until } from './support/expect';
import { Upstream } from './support/upstream';

const CALL = { toolkit: 'acme', endpoint: '/me', method: 'GET' } as const;

let upstream: Upstream;
let gateway: Gateway;
let session: Session;

before(async () => {
  upstream = await Upstream.start();
});

after(() => upstream.close());

beforeEach(async () => {
  gateway = await openGateway(upstream.port);
  await connect(gateway, 'ann', 'a-secret-key');
  session = await new Composio({ gateway }).create('ann');
});

afterEach(() => gateway.close());

function sampleOf(text: string, sample: string): number | undefined {
  const line = text.split('\n').find((line) => line.startsWith(`${sample} `));
  return line === undefined ? undefined : Number(line.slice(sample.length + 1));
}

const ANSWERED = 'proxy_execute_calls_total{toolkit="acme",status="2xx",outcome="answered"}';

describe('the metrics', () => {
  it('count the calls since they were read first', async () => {
    await session.proxyExecute(CALL);
    assert.equal(sampleOf(await gateway.metrics(), ANSWERED), undefined);
    await session.proxyExecute(CALL);
    await session
      .fetch('acme')('/me')
      .then((response) => response.text());
    await until('both are counted', async () => sampleOf(await gateway.metrics(), ANSWERED) === 2);
    assert.doesNotMatch(await gateway.metrics(), /ann|secret/);
  });

  it('have the delay of the event loop', async () => {
    await until('the loop is measured', async () => {
      const delay = sampleOf(await gateway.metrics(), 'proxy_execute_event_loop_delay_seconds{quantile="1"}');
      // A block before the first run of the timer is not measured, so each round blocks the loop.
      const end = performance.now() + 200;
      while (performance.now() < end);
      return delay !== undefined && delay > 0.1 && delay < 30;
    });
  });

  it('are read by Prometheus on an address of their own', async () => {
    const { url, metricsUrl } = await gateway.listen({ metrics: '127.0.0.1:0' });
    assert.match(metricsUrl ?? '', /^http:\/\/127\.0\.0\.1:\d+\/metrics$/);
    await session.proxyExecute(CALL);
    const response = await fetch(metricsUrl ?? '');
    assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    assert.equal(sampleOf(await response.text(), ANSWERED), 1);
    assert.equal((await fetch(`${url}/metrics`)).status, 404);
    assert.equal((await gateway.listen()).metricsUrl, undefined);
    const taken = new URL(metricsUrl ?? '').host;
    await rejection(() => gateway.listen({ metrics: taken }), ComposioError, {
      slug: 'InvalidOption',
      names: /metrics/,
    });
    await rejection(() => gateway.listen({ metrics: 9464 as never }), ValidationError, { names: /metrics/ });
  });
});

describe('the diagnostics channel of calls', () => {
  const channel = tracingChannel<unknown, CallTrace>('proxy-execute:call');
  const NAMES = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const;
  let events: { name: string; trace: CallTrace }[];
  let subscribed: (() => void)[];

  function watch(names: readonly (typeof NAMES)[number][] = NAMES): void {
    for (const name of names) {
      const part: Channel = channel[name];
      const listener = (trace: unknown) => {
        events.push({ name, trace: { ...(trace as CallTrace) } });
      };
      part.subscribe(listener);
      subscribed.push(() => part.unsubscribe(listener));
    }
  }

  /** Node.js adds a result to each trace, which must be empty. */
  function withoutResult({ result, ...trace }: Partial<CallTrace> & { result?: unknown }): object {
    assert.equal(result, undefined);
    return trace;
  }

  beforeEach(() => {
    events = [];
    subscribed = [];
  });

  afterEach(() => {
    for (const unsubscribe of subscribed) unsubscribe();
  });

  it('tells when a call begins and ends', async () => {
    watch();
    const { status } = await session.proxyExecute(CALL);
    assert.deepEqual(
      events.map(({ name }) => name),
      ['start', 'end', 'asyncStart', 'asyncEnd'],
    );
    assert.deepEqual(events[0]?.trace, { method: 'GET', toolkit: 'acme', sessionId: session.sessionId });
    const { trace } = events[2] ?? assert.fail();
    assert.equal(trace.status, status);
    assert.ok((trace.duration ?? 0) > 0, `${trace.duration}`);
    assert.doesNotMatch(JSON.stringify(events), /secret|headers|x-acme/);
  });

  it('has the error of a call that fails, and the host of a URL', async () => {
    watch(['error']);
    const endpoint = 'https://elsewhere.example/me?key=a-secret';
    const error = await session.proxyExecute({ ...CALL, endpoint }).catch((error: unknown) => error);
    assert.ok(error instanceof ComposioError);
    const [event, ...others] = events;
    assert.equal(others.length, 0);
    assert.equal(event?.trace.error, error);
    assert.equal(event?.trace.host, 'elsewhere.example');
    assert.equal(event?.trace.status, undefined);
  });

  it('sees every kind of call once', async () => {
    watch(['asyncStart']);
    const composio = new Composio({ gateway });
    const { items } = await gateway.connectedAccounts.list();
    const connectedAccountId = items[0]?.id ?? assert.fail();
    await composio.tools.proxyExecute({ endpoint: '/me', method: 'GET', connectedAccountId });
    await session.proxyExecute(CALL, { responseType: 'bytes' });
    await session.proxyExecute(CALL, { retry: {} });
    await (await session.fetch('acme')(`${upstream.origin}/base/me`)).text();
    assert.deepEqual(
      events.map(({ trace: { status, duration, ...call } }) => ({
        ...withoutResult(call),
        status,
        has: typeof duration,
      })),
      [
        { method: 'GET', connectedAccountId, status: 200, has: 'number' },
        { method: 'GET', toolkit: 'acme', sessionId: session.sessionId, status: 200, has: 'number' },
        { method: 'GET', toolkit: 'acme', sessionId: session.sessionId, status: 200, has: 'number' },
        {
          ...{ method: 'GET', toolkit: 'acme', sessionId: session.sessionId },
          ...{ host: new URL(upstream.origin).host, status: 200, has: 'number' },
        },
      ],
    );
  });
});
