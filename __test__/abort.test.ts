/**
 * An AbortSignal aborts the calls that have it, at every stage, and no others.
 */

import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Composio, type Gateway, type Session, ValidationError } from '../index.js';
import { BackendStub } from './backend-stub';
import { connect, openGateway } from './support/acme';
import { rejection, timed, until } from './support/expect';
import { LoadUpstream } from './support/load-upstream';
import { Upstream } from './support/upstream';
import { inProcess, overHttp, type WayIn } from './support/ways';

const CALL = { toolkit: 'acme', endpoint: '/me', method: 'GET' } as const;

/** The reason of a call's rejection. */
async function reasonOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => assert.fail('the call was answered'),
    (reason: unknown) => reason,
  );
}

for (const [name, way] of [
  ['in process', inProcess],
  ['over HTTP', overHttp()],
] as const) {
  describe(name, () => {
    let upstream: Upstream;
    let gateway: Gateway;
    let wayIn: WayIn;
    let composio: Composio;
    let session: Session;

    before(async () => {
      upstream = await Upstream.start();
      upstream.on('/base/hang', () => {});
      gateway = await openGateway(upstream.port);
      await connect(gateway, 'ann');
      wayIn = await way(gateway);
      composio = wayIn.composio();
      session = await composio.create('ann');
    });

    after(async () => {
      await gateway.close();
      await upstream.close();
    });

    it('a call with an aborted signal sends nothing', async () => {
      const id = (await gateway.connectedAccounts.list()).items[0]?.id ?? '';
      const reason = { why: 'the user has left' };
      const signal = AbortSignal.abort(reason);
      const { toolkit: _, ...call } = CALL;
      const calls = [
        () => session.proxyExecute(CALL, { signal }),
        () => session.proxyExecute({ ...CALL, method: 'POST', body: {} }, { signal }),
        () => composio.tools.proxyExecute({ connectedAccountId: id, ...call }, { signal }),
        () => composio.create('ann', {}, { signal }),
        () => composio.use(session.sessionId, { signal }),
        () => session.update({ toolkits: ['github'] }, { signal }),
        () => session.delete({ signal }),
      ];
      for (const call of calls) assert.equal(await reasonOf(call()), reason);
      assert.equal(upstream.connections, 0);
      assert.equal(getEventListeners(signal, 'abort').length, 0);
      // The session was not changed.
      assert.equal((await session.proxyExecute(CALL)).status, 200);
    });

    it("the call is rejected with the signal's own reason, of any type", async () => {
      class Left extends Error {}
      const reasons = [new Left('left'), 'text', 0, null, { plain: true }, new DOMException('x', 'AbortError')];
      for (const reason of reasons) {
        const controller = new AbortController();
        const call = session.proxyExecute({ ...CALL, endpoint: '/hang' }, { signal: controller.signal });
        const sent = upstream.received.length;
        await until('the call is in flight', () => upstream.received.length > sent);
        controller.abort(reason);
        assert.ok(Object.is(await reasonOf(call), reason), String(reason));
      }
      const controller = new AbortController();
      const call = session.proxyExecute({ ...CALL, endpoint: '/hang' }, { signal: controller.signal });
      controller.abort();
      const reason = await reasonOf(call);
      assert.ok(reason instanceof DOMException && reason.name === 'AbortError' && reason === controller.signal.reason);
    });

    it('a signal of another library, which has no reason, ends calls and streams with an AbortError', async () => {
      // Like the signal of the package `abort-controller`.
      class OldSignal extends EventTarget {
        aborted = false;
        abort() {
          this.aborted = true;
          this.dispatchEvent(new Event('abort'));
        }
      }
      const isAbortError = (reason: unknown) => reason instanceof DOMException && reason.name === 'AbortError';
      const old = () => {
        const signal = new OldSignal();
        return { abort: () => signal.abort(), signal: signal as unknown as AbortSignal };
      };

      const { abort, signal } = old();
      const hanging = session.proxyExecute({ ...CALL, endpoint: '/hang' }, { signal });
      setImmediate(abort);
      assert.ok(isAbortError(await reasonOf(hanging)));
      assert.ok(isAbortError(await reasonOf(session.proxyExecute(CALL, { signal }))));

      upstream.on('/base/file', (response) => {
        response.writeHead(200, { 'content-type': 'application/pdf' }).end('%PDF');
      });
      const streaming = old();
      const call = { ...CALL, endpoint: '/file' };
      const { data } = await session.proxyExecute(call, { responseType: 'stream', signal: streaming.signal });
      streaming.abort();
      assert.ok(isAbortError(await reasonOf(data.getReader().read())));

      const { binaryData } = await session.proxyExecute(call);
      const file = await session.download(binaryData ?? assert.fail());
      const path = join(tmpdir(), 'proxy-execute-test-aborted.pdf');
      assert.ok(isAbortError(await reasonOf(file.toFile(path, { signal }))));
      const writing = old();
      const written = file.toFile(path, { signal: writing.signal, onProgress: writing.abort });
      assert.ok(isAbortError(await reasonOf(written)));
    });

    it('AbortSignal.timeout and AbortSignal.any work like any other signal', async () => {
      const timeout = AbortSignal.timeout(100);
      const elapsed = await timed(2_000, async () => {
        const reason = await reasonOf(session.proxyExecute({ ...CALL, endpoint: '/hang' }, { signal: timeout }));
        assert.ok(reason instanceof DOMException && reason.name === 'TimeoutError' && reason === timeout.reason);
      });
      assert.ok(elapsed > 50, `after ${elapsed} ms`);

      const [first, second] = [new AbortController(), new AbortController()];
      const any = AbortSignal.any([first.signal, second.signal]);
      const call = session.proxyExecute({ ...CALL, endpoint: '/hang' }, { signal: any });
      const why = new Error('the second');
      setImmediate(() => second.abort(why));
      assert.equal(await reasonOf(call), why);
    });

    it('a signal that outlives its calls keeps none of their listeners', async () => {
      const { signal } = new AbortController();
      for (let call = 0; call < 50; call++) await session.proxyExecute(CALL, { signal });
      await rejection(() => session.proxyExecute({ ...CALL, method: 'get' as 'GET' }, { signal }), ValidationError);
      await assert.rejects(session.proxyExecute({ ...CALL, toolkit: 'nope' }, { signal }));
      await assert.rejects(session.proxyExecute({ ...CALL, endpoint: '/hang' }, { signal, timeout: 50 }));
      assert.equal(getEventListeners(signal, 'abort').length, 0);
    });

    it('aborting a completed call does nothing', async () => {
      const controller = new AbortController();
      const { status } = await session.proxyExecute(CALL, { signal: controller.signal });
      controller.abort();
      assert.equal(status, 200);
      assert.equal((await session.proxyExecute(CALL)).status, 200);
    });

    it('aborting 1 000 of 2 000 calls ends these and no others', async (t) => {
      const load = await LoadUpstream.start();
      const busy = await openGateway(load.port);
      try {
        await connect(busy, 'ann');
        const session = await (await way(busy)).composio({ timeout: 60_000 }).create('ann');
        const all = Array.from({ length: 2_000 }, (_, call) => call);
        const [aborted, kept] = [all.filter((call) => call % 2 === 0), all.filter((call) => call % 2 === 1)];

        const controllers = all.map(() => new AbortController());
        const reasons = all.map((call) => ({ call }));
        const calls = all.map((call) =>
          session.proxyExecute<{ call: number }>(
            // Half of them have received a part of their response.
            { ...CALL, endpoint: call % 4 < 2 ? `/hold?call=${call}` : `/half?call=${call}` },
            { signal: controllers[call]?.signal },
          ),
        );
        const rejections = aborted.map((call) => reasonOf(calls[call] as Promise<unknown>));
        await until('all calls are in flight', async () => (await load.held()).waiting.length === 2_000, 30_000);

        const start = performance.now();
        for (const call of aborted) controllers[call]?.abort(reasons[call]);
        for (const [index, reason] of (await Promise.all(rejections)).entries()) {
          assert.equal(reason, reasons[aborted[index] as number]);
        }
        const told = performance.now() - start;
        await until('the upstream sees them hang up', async () => (await load.held()).gone.length >= 1_000);
        t.diagnostic(
          `1 000 calls were rejected after ${told.toFixed()} ms, and gone upstream after ${(performance.now() - start).toFixed()} ms`,
        );
        assert.deepEqual(await load.held(), { waiting: kept, gone: aborted, answered: [] });

        await load.release();
        const answers = await Promise.all(
          kept.map(async (call) => {
            const { status, data } = (await calls[call]) ?? {};
            return [call, status, data];
          }),
        );
        for (const [call, status, data] of answers) {
          assert.equal(status, 200);
          const first = (call as number) % 4 < 2;
          assert.deepEqual(data, first ? { call } : { first: { call } });
        }
        const end = await load.held();
        assert.deepEqual(end, { waiting: [], gone: aborted, answered: kept });
        // Closing would wait for calls in flight.
        await timed(4_000, () => busy.close());
      } finally {
        await busy.close();
        load.close();
      }
    });
  });
}

describe('a call that waits for its retry', () => {
  it('is aborted at once', async () => {
    const backend = await BackendStub.start();
    try {
      const composio = new Composio({ apiKey: 'ak_test', baseURL: backend.url, maxRetries: 5 });
      const session = await composio.create('ann');
      backend.answer = (response) => {
        response.writeHead(429, { 'content-type': 'application/json', 'retry-after': '30' });
        response.end('{"message":"too many"}');
      };
      const asked = backend.asked.length;
      const controller = new AbortController();
      const reason = new Error('enough');
      const call = session.proxyExecute(CALL, { signal: controller.signal });
      let settled = false;
      const rejected = reasonOf(call).finally(() => {
        settled = true;
      });
      await until('the backend has refused', () => backend.asked.length > asked);
      // Long enough for the refusal to arrive, and far less than the 30 s that it asks for.
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.ok(!settled, 'the call did not wait');
      await timed(10_000, async () => {
        controller.abort(reason);
        assert.equal(await rejected, reason);
      });
      assert.equal(backend.asked.length, asked + 1);
      assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
    } finally {
      await backend.close();
    }
  });
});
