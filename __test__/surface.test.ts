/**
 * The imported package, and the process that imports it.
 */

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';

const root = join(__dirname, '..');
const node = promisify(execFile);

/** Runs an ES module in its own process, without the loader of these tests. */
function run(source: string, env = {}) {
  return node(process.execPath, ['--input-type=module', '--eval', source], {
    cwd: root,
    env: { ...process.env, ...env },
    timeout: 20_000,
  });
}

describe('the package', () => {
  it('exports the same classes to ES modules and to CommonJS', async () => {
    const { stdout } = await run(`
      import { createRequire } from 'node:module';
      import * as esm from 'proxy-execute';
      const cjs = createRequire(import.meta.url)('proxy-execute');
      const different = Object.keys(cjs).filter((name) => cjs[name] !== esm[name]);
      console.log(JSON.stringify({ esm: Object.keys(esm).sort(), cjs: Object.keys(cjs).sort(), different }));
    `);
    const { esm, cjs, different } = JSON.parse(stdout);
    assert.deepEqual(esm, cjs);
    assert.deepEqual(different, []);
  });

  it('exports exactly the names of its declarations', () => {
    const declarations = readFileSync(join(root, 'index.d.ts'), 'utf8');
    // Callers have no use for native members.
    assert.doesNotMatch(declarations, /^(?:declare|interface|type|class) /m);
    // A function has a declaration for each of its overloads.
    const declared = declarations.matchAll(/^export declare (?:class|const|function) (\w+)/gm);
    const names = [...new Set(Array.from(declared, ([, name]) => name))].sort();
    assert.deepEqual(names, Object.keys(createRequire(__filename)('../index.js')).sort());
    assert.ok(names.includes('Composio') && names.includes('RateLimitError'));
  });

  it('gives advice if its native part cannot be loaded', async () => {
    const source = `
      import { createRequire } from 'node:module';
      try {
        createRequire(import.meta.url)('proxy-execute');
      } catch (error) {
        console.log(JSON.stringify({ message: error.message, cause: String(error.cause) }));
      }
    `;
    const { stdout } = await run(source, { NAPI_RS_NATIVE_LIBRARY_PATH: '/nonexistent.node' });
    const { message, cause } = JSON.parse(stdout);
    assert.match(message, new RegExp(`cannot be loaded on ${process.platform}-${process.arch} with Node.js v`));
    assert.match(message, /: Cannot find module '\/nonexistent\.node'\. .*`npm install` in a clone/);
    assert.match(cause, /Error/);
  });

  it('names the option of Node.js that blocks its native part', async () => {
    const permission = process.allowedNodeEnvironmentFlags.has('--permission')
      ? '--permission'
      : '--experimental-permission';
    const load = (...flags: string[]) => {
      const program =
        "require('proxy-execute').Gateway.open().then((gateway) => gateway.close()).then(() => 'it loads')";
      const report = `.catch(({ message }) => message).then(console.log)`;
      const source = `Promise.resolve().then(() => ${program})${report}`;
      return node(process.execPath, [...flags, '--eval', source], { cwd: root, timeout: 20_000 });
    };
    for (const flags of [['--no-addons'], [permission, '--allow-fs-read=*']]) {
      const { stdout } = await load(...flags);
      assert.match(stdout, /this process may not load addons\. Add `--allow-addons` .* leave `--no-addons` out\.\n$/);
    }
    assert.equal((await load(permission, '--allow-fs-read=*', '--allow-addons')).stdout, 'it loads\n');
  });

  it('does not let the API key or a credential print itself', async () => {
    const { stdout } = await run(`
      import { inspect } from 'node:util';
      import { Composio, Gateway } from 'proxy-execute';
      const gateway = await Gateway.open();
      const composio = new Composio({ apiKey: 'ak_canary', baseURL: 'http://127.0.0.1:1' });
      const session = await new Composio({ gateway }).create('user_1');
      console.log(inspect([composio, gateway, session], { depth: 9, showHidden: true }), JSON.stringify([composio, session]));
      await gateway.close();
    `);
    assert.ok(stdout.includes('Composio') && !stdout.includes('canary'), stdout);
  });
});

describe('the process', () => {
  it('ends by itself with an open gateway', async () => {
    const { stdout } = await run(`
      import { Gateway } from 'proxy-execute';
      const gateway = await Gateway.open();
      console.log('opened');
    `);
    assert.equal(stdout, 'opened\n');
  });

  it('ends by itself although a gateway once cannot be closed', async () => {
    const { stdout, stderr } = await run(`
      import { Gateway } from 'proxy-execute';
      const gateway = await Gateway.open();
      gateway.close = async () => {
        throw new Error(\`closed \${++closed} times\`);
      };
      let closed = 0;
      // Node.js emits the event again for as long as a listener starts new work.
      process.once('beforeExit', () => setImmediate(() => console.log('ended')));
    `);
    assert.equal(stdout, 'ended\n');
    assert.match(stderr, /closed 1 times/);
    assert.doesNotMatch(stderr, /closed 2 times/);
  });

  it('does not keep an unused gateway', async () => {
    const { stdout } = await run(`
      import { setImmediate } from 'node:timers/promises';
      import { setFlagsFromString } from 'node:v8';
      import { runInNewContext } from 'node:vm';
      import { Composio, Gateway } from 'proxy-execute';
      setFlagsFromString('--expose-gc');
      const gc = runInNewContext('gc');
      const open = async () => {
        const gateway = await Gateway.open();
        await new Composio({ gateway }).create('user_1');
        return new WeakRef(gateway);
      };
      const gateways = [];
      for (let count = 0; count < 10; count++) gateways.push(await open());
      // The last values on the stack may stay there.
      while (gateways.filter((gateway) => gateway.deref()).length > 1) {
        // A value that was read is kept until the end of the turn.
        await setImmediate();
        gc();
        await setImmediate();
      }
      console.log('collected');
    `);
    assert.equal(stdout, 'collected\n');
  });

  it("ends by itself with an unref'ed port, and after a close", async () => {
    const { stdout } = await run(`
      import { Gateway } from 'proxy-execute';
      const listener = await (await Gateway.open()).listen();
      listener.ref().unref();
      const other = await Gateway.open();
      await other.listen();
      await other.close();
      console.log(listener.url);
    `);
    assert.match(stdout, /^http:\/\/127\.0\.0\.1:\d+\n$/);
  });

  it('keeps running with a port', async () => {
    const source = `
      import { Gateway } from 'proxy-execute';
      const { url } = await (await Gateway.open()).listen();
      process.on('beforeExit', () => console.log('it would have ended'));
      console.log(url);
    `;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', source], { cwd: root });
    const [url] = await once(child.stdout.setEncoding('utf8'), 'data');
    const answer = await fetch(`${url.trim()}/api/v3.1/tool_router/session/trs_1`);
    assert.equal(answer.status, 401);
    child.kill();
    const [code, signal] = await once(child, 'exit');
    assert.deepEqual({ code, signal }, { code: null, signal: 'SIGTERM' });
  });

  it('warns about a gateway that is disposed of', async () => {
    const { stdout } = await run(`
      import { Gateway } from 'proxy-execute';
      const gateway = await Gateway.open();
      await gateway.listen();
      await gateway[Symbol.asyncDispose]();
      console.log(await gateway.apiKeys.list().catch((error) => error.slug));
    `);
    assert.equal(stdout, 'GatewayClosed\n');
  });
});
