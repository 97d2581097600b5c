/**
 * Secrets appear only where they are needed: not in printed, thrown, inspected or stored data.
 */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import type { Secrets } from './support/canary';
import { run } from './support/child';

/** Unique texts, so that a match is no coincidence. */
const canary = (name: string) => `${name}-${randomBytes(16).toString('hex')}`;

describe('a secret', () => {
  it('is visible to the third-party API only, at every log level', async (t) => {
    const secrets: Secrets = {
      apiKey: canary('api-key'),
      token: canary('token'),
      password: canary('password'),
      encryptionKey: randomBytes(32).toString('hex'),
    };
    const env = { CANARIES: JSON.stringify(secrets), RUST_LOG: 'trace', RUST_BACKTRACE: '1' };
    const { code, signal, stdout, stderr } = await run('canary.ts', { env });
    assert.equal(code, 0, `${signal} ${stderr}`);
    for (const [name, secret] of Object.entries(secrets)) {
      for (const form of [secret, Buffer.from(secret).toString('base64').slice(0, -4)]) {
        assert.ok(!stdout.includes(form), `${name} was printed to the standard output`);
        assert.ok(!stderr.includes(form), `${name} was printed to the standard error output`);
      }
    }
    const { found, succeeded, failed, whileOpen } = JSON.parse(stdout.split('RESULT ')[1] ?? '{}');
    assert.deepEqual(found, []);
    assert.ok(whileOpen.includes('gateway.db-wal'), whileOpen);
    assert.ok(succeeded > 50 && failed > 100, `${succeeded} answers, ${failed} errors`);
    t.diagnostic(`looked into ${succeeded} answers and ${failed} errors`);
  });
});
