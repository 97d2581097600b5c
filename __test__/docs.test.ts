/**
 * The documentation: its examples are programs that work, and its tables match the code.
 */

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { generate } from 'selfsigned';
import * as surface from '../index.js';
import { BackendStub, sendJson } from './backend-stub';

const root = join(__dirname, '..');
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const text = (page: string) => readFileSync(join(root, page), 'utf8');
const node = promisify(execFile);
/** The folder of nginx, which a user's `PATH` may not contain. */
const nginx = ['/usr/sbin/nginx', '/usr/bin/nginx'].find((path) => existsSync(path));

/** A page's blocks of code in a language. */
function blocks(page: string, language: string): string[] {
  return [...text(page).matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map(([, code = '']) => code);
}

/** A program around an example. The example has its own block, so that it may declare the names of the program. */
function program(example: string): string {
  const imported = [...example.matchAll(/^import (.*) from 'proxy-execute';$/gm)];
  const names = new Set([
    'Composio',
    'Gateway',
    ...imported.flatMap(([, list = '']) => list.match(/\b(?!type\b)\w+/g) ?? []),
  ]);
  const ofNode = [...example.matchAll(/^import .* from 'node:.*';$/gm)].map(([line]) => line).join('\n');
  return `
    ${ofNode}
    import { ${[...names].join(', ')} } from 'proxy-execute';
    import { gateway, session } from './examples.mjs';
    {
      ${example.replaceAll(/^import .*\n/gm, '')}
    }
    await gateway.close();
    export { Composio, Gateway, session };
  `;
}

/** The examples in comments of the public surface, each with imports of the names it uses. */
function commented(): string[] {
  const declared = text('index.d.ts');
  const exported = [...declared.matchAll(/^export (?:declare )?(?:class|const|function|interface|type) (\w+)/gm)];
  const names = [...new Set(exported.map(([, name = '']) => name))];
  return [...declared.matchAll(/@example[^\n]*\n\s*\* ```ts\n(.*?)\* ```$/gms)].map(([, lines = '']) => {
    const code = lines.replace(/^\s*\* ?/gm, '');
    const own = /^import .*$/gm;
    const used = names.filter((name) => new RegExp(`\\b${name}\\b`).test(code));
    return `import { ${used.join(', ')} } from 'proxy-execute';\n{\n${code.replace(own, '')}\n}\n`;
  });
}

/** The names that examples in comments use without a declaration. */
const GIVEN = `
  import type * as surface from 'proxy-execute';
  declare global {
    const composio: surface.Composio;
    const gateway: surface.Gateway;
    const session: surface.Session;
    const id: string;
    const key: string;
    const request: Request;
    const secret: string;
    const token: string;
  }
`;

describe('the examples of the documentation', () => {
  // The examples of this page need the SDKs of APIs. They are run by compat/sdks.
  const examples = pages
    .filter((page) => page !== 'docs/sdks.md')
    .flatMap((page) =>
      blocks(page, 'ts').map((code, index) => ({ name: `${page.replaceAll(/\W/g, '-')}-${index + 1}`, code })),
    );
  // A part of a file is not a toolkit.
  const toolkits = blocks('docs/toolkits.md', 'toml').filter((toml) => toml.startsWith('slug'));
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'proxy-execute-docs-'));
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(root, join(folder, 'node_modules', 'proxy-execute'), 'dir');
    symlinkSync(join(root, 'node_modules', '@types'), join(folder, 'node_modules', '@types'), 'dir');
    cpSync(join(__dirname, 'support', 'examples.mts'), join(folder, 'examples.mts'));
    for (const { name, code } of examples) writeFileSync(join(folder, `${name}.mts`), program(code));
    for (const [index, code] of commented().entries()) writeFileSync(join(folder, `comment-${index + 1}.mts`), code);
    writeFileSync(join(folder, 'given.d.mts'), GIVEN);
    // The example of a toolkit's file is at the path that the example of its use reads.
    mkdirSync(join(folder, 'toolkits'));
    for (const [index, toml] of toolkits.entries()) {
      writeFileSync(join(folder, 'toolkits', `${index}.toml`), toml);
    }
    const options = { target: 'ES2022', module: 'Node16', strict: true, noEmit: true, types: ['node'] };
    const lib = ['ES2023', 'ESNext.Disposable'];
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...options, lib } }));
  });

  after(() => rmSync(folder, { recursive: true }));

  it('exist', () => {
    assert.ok(examples.length >= 7, `only ${examples.length} were found`);
    assert.equal(toolkits.length, 1);
    assert.equal(commented().length, text('index.d.ts').match(/@example/g)?.length);
  });

  it('have the declared types', async () => {
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    await node(process.execPath, [tsc, '--project', folder]).catch(({ stdout }) => assert.fail(stdout));
  });

  for (const { name, code } of examples) {
    it(`run: ${name}`, async () => {
      const tsx = pathToFileURL(require.resolve('tsx')).href;
      const file = join(folder, `${name}.mts`);
      const { stdout, stderr } = await node(process.execPath, ['--import', tsx, file], {
        cwd: folder,
        timeout: 30_000,
      });
      assert.equal(stderr, '');
      if (/console\.log\(status/.test(code)) assert.match(stdout, /^200 /);
      else if (/console\.log/.test(code)) assert.notEqual(stdout, '');
    });
  }

  it('start a gateway as docs/operators.md says', {
    skip: process.platform === 'win32' && 'the commands are those of a Unix',
  }, async () => {
    const state = join(folder, 'state');
    const commands = (blocks('docs/operators.md', 'sh')[0] ?? '')
      .replace(/^npm install .*$/m, '')
      .replace(/^sudo /m, '')
      .replaceAll('/var/lib/proxy-execute', state)
      .replace('--port 9900', '--port 0')
      .replaceAll(
        /npx proxy-execute|node_modules\/\.bin\/proxy-execute/g,
        `"${process.execPath}" "${join(root, 'bin', 'proxy-execute.js')}"`,
      );
    // The shell has its own process group, to end the gateway with it.
    const shell = spawn('sh', ['-ec', commands], { detached: true });
    const ended = once(shell, 'close');
    const errors = shell.stderr.toArray();
    const [said] = await Promise.race([once(shell.stdout, 'data'), ended]);
    if (shell.exitCode === null) process.kill(-(shell.pid ?? 0), 'SIGTERM');
    await ended;
    assert.match(`${said}`, /^Listening on /, Buffer.concat(await errors).toString());
    assert.equal(statSync(state).mode & 0o777, 0o700);
  });

  it("let nginx stream uploads up to the gateway's limit", () => {
    const [nginx = ''] = blocks('docs/operators.md', 'nginx');
    assert.match(nginx, /client_max_body_size 5g;/);
    assert.match(nginx, /proxy_request_buffering off;/);
  });

  it('give nginx a valid configuration', {
    skip: nginx === undefined && !process.env.CI && 'There is no nginx: `apt-get install nginx-light`.',
  }, async () => {
    const { private: key, cert } = await generate([{ name: 'commonName', value: 'gateway.example.com' }]);
    const file = (name: string, content: string) => {
      writeFileSync(join(folder, name), content);
      return join(folder, name);
    };
    const [block = ''] = blocks('docs/operators.md', 'nginx');
    const server = block
      .replace('/etc/ssl/gateway.pem', file('gateway.pem', cert))
      .replace('/etc/ssl/gateway.key', file('gateway.key', key));
    const logs = `access_log off; error_log stderr; client_body_temp_path ${folder}; proxy_temp_path ${folder};`;
    const unused = ['fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder};`).join(' ');
    const configuration = `pid ${join(folder, 'nginx.pid')}; events {} http { ${logs} ${unused} ${server} }`;
    const { stderr } = await node(nginx ?? 'nginx', ['-t', '-c', file('nginx.conf', configuration)]);
    assert.match(stderr, /test is successful/);
  });

  it('show the output of `toolkits`', async () => {
    const [, block = ''] = /^## toolkits\n.*?^```console\n(.*?)^```$/ms.exec(text('docs/cli.md')) ?? [];
    const shown = block.split('\n').filter((line) => line !== '…');
    const printed: string[] = [];
    for (const [, command = ''] of block.matchAll(/^\$ npx proxy-execute (.*)$/gm)) {
      const program = join(root, 'bin', 'proxy-execute.js');
      const { stdout } = await node(process.execPath, [program, ...command.split(' ')]);
      printed.push(`$ npx proxy-execute ${command}`, ...stdout.split('\n'));
    }
    assert.ok(printed.length > 10);
    assert.deepEqual(
      shown.filter((line) => !printed.includes(line)),
      [],
    );
  });

  for (const [command, least] of [
    ['serve', 20],
    ['migrate composio', 10],
  ] as const) {
    it(`have a row for each option of \`${command}\`, and for no other`, async () => {
      const program = join(root, 'bin', 'proxy-execute.js');
      const { stdout } = await node(process.execPath, [program, ...command.split(' '), '--help']);
      const [own = ''] = stdout.split('\nOptions of every command:');
      const options = new Map(
        [...own.matchAll(/^ {2}(--\S+(?: <\w+>)?) {2,}(.*)$/gm)].map(([, option = '', help = '']) => [option, help]),
      );
      assert.ok(options.size > least);
      const [before = '', section = '', after = ''] = text('docs/cli.md').split(
        new RegExp(`(^## ${command}\\n.*?)(?=^## )`, 'ms'),
      );
      const lines = section.split('\n');
      const optionOf = (line: string) => /^\| `(--.*?)`/.exec(line)?.[1];
      let last = lines.findIndex((line) => line.startsWith('| ---'));
      const missing: string[] = [];
      for (const [option, help] of options) {
        const row = lines.findIndex((line) => optionOf(line) === option);
        if (row !== -1) {
          last = row;
          continue;
        }
        missing.push(option);
        last += 1;
        lines.splice(last, 0, `| \`${option}\` | ${help}. |`);
      }
      if (process.env.UPDATE_DOCS === '1') {
        writeFileSync(join(root, 'docs/cli.md'), before + lines.join('\n') + after);
      } else {
        assert.deepEqual(missing, [], 'docs/cli.md is stale: run this test with UPDATE_DOCS=1, and commit it');
      }
      const unknown = lines.map(optionOf).filter((option) => option !== undefined && !options.has(option));
      assert.deepEqual(unknown, []);
    });
  }

  it('are JSON if they are labelled so', () => {
    const all = pages.flatMap((page) => blocks(page, 'json'));
    assert.ok(all.length > 0);
    for (const json of all) JSON.parse(json);
  });
});

describe('the links of the documentation', () => {
  it('lead to existing files', () => {
    for (const page of pages) {
      const folder = join(root, page, '..');
      const links = [...text(page).matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, target = '']) => target);
      for (const target of links)
        assert.doesNotThrow(() => readFileOrFolder(join(folder, target)), `${page}: ${target}`);
    }
  });
});

describe('a path in a message', () => {
  it('is in the package', async () => {
    const gateway = await surface.Gateway.open();
    const { message } = await new surface.Composio({ gateway })
      .create('ann', { toolkits: ['frob'] })
      .then((session) => session.proxyExecute({ toolkit: 'frob', endpoint: '/', method: 'GET' }))
      .then(
        () => assert.fail('there is such a toolkit'),
        (error: Error) => error,
      );
    await gateway.close();
    const [page = 'no page'] = /docs\/\w+\.md/.exec(message) ?? [];
    assert.ok(JSON.parse(text('package.json')).files.includes(page), message);
  });
});

function readFileOrFolder(path: string): void {
  try {
    readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EISDIR') throw error;
  }
}

describe('the table of errors', () => {
  const rows = [...text('docs/errors.md').matchAll(/^\| `(\w+)` +\| +(\d+) \| +(\d+) \| `(\w+)` +\|/gm)];

  it('has a row for every error that travels', () => assert.ok(rows.length >= 25, `${rows.length} rows`));

  for (const [, slug = '', status, code, className] of rows) {
    it(`${slug} is thrown as ${className}`, async () => {
      const stub = await BackendStub.start();
      try {
        stub.answer = (response) =>
          sendJson(response, Number(status), { error: { message: 'What happened.', slug, code: Number(code) } });
        const composio = new surface.Composio({ apiKey: 'key', baseURL: stub.url, maxRetries: 0 });
        const session = await composio.create('user_1');
        const error = await session.proxyExecute({ toolkit: 'acme', endpoint: '/', method: 'POST' }).then(
          () => assert.fail('it was answered'),
          (error: surface.ComposioError) => error,
        );
        assert.equal(error.constructor.name, className);
        assert.equal(error.slug, slug);
        assert.equal(error.code, Number(code));
      } finally {
        await stub.close();
      }
    });
  }
});
