/**
 * The build of a clone: what it says if something that it needs is missing.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';

const ROOT = join(__dirname, '..');
const [, FLOOR = ''] = /^rust-version = "(.*)"/m.exec(readFileSync(join(ROOT, 'Cargo.toml'), 'utf8')) ?? [];

describe('the build of a clone', {
  skip: process.platform === 'win32' && 'the programs here are shell scripts',
}, () => {
  const folders: string[] = [];
  after(() => {
    for (const folder of folders) rmSync(folder, { recursive: true });
  });

  /** Runs the script where the PATH has these programs only, each of which prints its text. */
  function prepare(programs: Record<string, string>, env: Record<string, string> = {}) {
    const folder = mkdtempSync(join(tmpdir(), 'proxy-execute-prepare-'));
    folders.push(folder);
    for (const [name, text] of Object.entries(programs)) {
      writeFileSync(join(folder, name), `#!/bin/sh\necho '${text}'\n`);
      chmodSync(join(folder, name), 0o755);
    }
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, 'scripts', 'prepare.mjs')], {
      encoding: 'utf8',
      env: { PATH: folder, ...env },
    });
    return { status, stdout, stderr: stderr.trim() };
  }

  it('names the command that installs Rust, before anything is compiled', () => {
    const { status, stdout, stderr } = prepare({ cc: '' });
    assert.equal(status, 1);
    assert.equal(stdout, '');
    assert.equal(
      stderr,
      "proxy-execute cannot be built: Rust is missing. Install it with `curl --proto '=https' --tlsv1.2 -sSf " +
        'https://sh.rustup.rs | sh`. Then run `npm install` again.',
    );
  });

  it('names the command that updates a Rust that is too old', () => {
    const { status, stderr } = prepare({ cc: '', cargo: 'cargo 1.9.0', rustc: 'rustc 1.9.0 (2016-05-23)' });
    assert.equal(status, 1);
    assert.equal(
      stderr,
      `proxy-execute cannot be built: it needs Rust ${FLOOR}, and this is 1.9. Update it with \`rustup update stable\`. ` +
        'Then run `npm install` again.',
    );
  });

  it('names the command that installs a C compiler', () => {
    const rust = { cargo: `cargo ${FLOOR}.0`, rustc: `rustc ${FLOOR}.0` };
    const { status, stderr } = prepare(rust);
    assert.equal(status, 1);
    assert.match(stderr, /^proxy-execute cannot be built: a C compiler is missing\. Install one with `.+\. Then run/);
  });

  it('does nothing when npm packs, which has built for release', () => {
    for (const npm_command of ['pack', 'publish']) {
      const { status, stdout, stderr } = prepare({}, { npm_command });
      assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: '', stderr: '' });
    }
  });
});
