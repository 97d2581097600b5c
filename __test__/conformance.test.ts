/**
 * One suite, unchanged, over every interface of a gateway.
 */

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { APIConnectionError, Gateway } from '../index.js';
import { run } from './support/child';
import { conformance } from './support/conformance';
import { asDescribed } from './support/described';
import { rejection } from './support/expect';
import { type Certificates, inProcess, makeCertificates, overHttp, overHttps } from './support/ways';

conformance('in process', inProcess);
conformance('over HTTP', overHttp());
conformance('over HTTP, each response as /openapi.json describes it', asDescribed);
conformance('over HTTP, by /api/v3', overHttp({ apiVersion: 'v3' }));

describe('over HTTPS', () => {
  let folder: string;
  let certificates: Certificates;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'proxy-execute-'));
    certificates = await makeCertificates();
  });

  after(() => rm(folder, { recursive: true }));

  it('with an authority that NODE_EXTRA_CA_CERTS names, the suite passes', async (t) => {
    const authority = join(folder, 'authority.pem');
    await writeFile(authority, certificates.authority);
    const { code, signal, stdout, stderr } = await run('conformance-https.ts', {
      nodeOptions: ['--test-reporter=spec'],
      env: {
        NODE_EXTRA_CA_CERTS: authority,
        TLS_CERTIFICATE: certificates.certificate,
        TLS_KEY: certificates.key,
      },
    });
    // The output ends with the failures.
    assert.equal(code, 0, `${signal ?? code}\n${stdout.slice(-4_000)}\n${stderr}`);
    const count = (what: string) => Number(stdout.match(new RegExp(`^ℹ ${what} (\\d+)$`, 'm'))?.[1]);
    assert.ok(count('pass') > 50, stdout);
    assert.equal(count('fail') + count('skipped') + count('todo') + count('cancelled'), 0);
    t.diagnostic(`${count('pass')} tests passed over HTTPS`);
  });

  it('without it, the certificate is refused with advice on how to trust it', async () => {
    const gateway = await Gateway.open();
    const wayIn = await overHttps(certificates)(gateway);
    try {
      const error = await rejection(() => wayIn.composio().create('ann'), APIConnectionError, {
        names: /https:\/\/127\.0\.0\.1:\d+ .*certificate/,
        fix: /NODE_EXTRA_CA_CERTS/,
      });
      assert.equal(error.status, undefined);
    } finally {
      await wayIn.close();
      await gateway.close();
    }
  });
});
