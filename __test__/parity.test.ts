/**
 * Programs in the manner of the Composio SDK's documentation, with only their import changed: they compile, and run
 * against a gateway on this machine. `docs/from-composio.md` has the outcome of each.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { Composio, Gateway } from '../index.js';
import { SNIPPETS, type Snippet } from './support/parity';
import { sendJson, Upstream } from './support/upstream';

const root = join(__dirname, '..');
const page = join(root, 'docs', 'from-composio.md');
const node = promisify(execFile);

const programs = Object.entries(SNIPPETS).flatMap(([area, snippets]) => snippets.map((snippet) => ({ area, snippet })));
const fileOf = (index: number) => `${String(index).padStart(3, '0')}.mts`;

/** How a program ended: null if it ran. */
type End = { name: string; slug?: string; message: string } | null;

describe('a program for the Composio SDK', () => {
  let folder: string;
  let upstream: Upstream;
  let gateway: Gateway;
  /** The compiler's messages for each file. */
  const complaints = new Map<string, string[]>();
  let ends: Record<string, End> = {};
  let url = '';

  before(async () => {
    upstream = await Upstream.start();
    upstream.on('/missing', (response) => sendJson(response, 404, '{}'));
    upstream.on('/zipball', (response) => {
      response.writeHead(200, { 'content-type': 'application/zip' }).end(Buffer.from('504b0506', 'hex'));
    });
    gateway = await openGateway(upstream.origin);
    const ids = await idsOf(gateway);
    folder = mkdtempSync(join(tmpdir(), 'proxy-execute-parity-'));
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(root, join(folder, 'node_modules', 'proxy-execute'), 'dir');
    for (const name of ['@types', 'zod']) {
      symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), 'dir');
    }
    for (const [index, { snippet }] of programs.entries()) {
      let code = snippet.code
        .replace("'@composio/core'", "'proxy-execute'")
        .replaceAll('http://upstream', upstream.origin);
      for (const [name, id] of Object.entries(ids)) code = code.replaceAll(`'${name}'`, `'${id}'`);
      writeFileSync(join(folder, fileOf(index)), code);
    }
    const compilerOptions = {
      target: 'ES2022',
      module: 'Node16',
      strict: true,
      noEmit: true,
      types: ['node'],
      skipLibCheck: true,
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const { stdout } = await node(process.execPath, [tsc, '--project', folder], { cwd: folder }).catch(
      (failed) => failed,
    );
    for (const line of stdout.split('\n')) {
      const [, file = '', what = ''] = /^(\d+\.mts)(.*)/.exec(line) ?? [];
      if (file !== '') complaints.set(file, [...(complaints.get(file) ?? []), what]);
    }
    ({ url } = await gateway.listen());
    const env = {
      ...process.env,
      COMPOSIO_BASE_URL: url,
      COMPOSIO_API_KEY: (await gateway.apiKeys.create()).key,
    };
    const tsx = pathToFileURL(require.resolve('tsx')).href;
    const runner = join(__dirname, 'support', 'parity-run.mjs');
    const ran = await node(process.execPath, ['--import', tsx, runner], { cwd: folder, env, timeout: 300_000 });
    ends = JSON.parse(ran.stdout);
  });

  after(async () => {
    await gateway.close();
    await upstream.close();
    rmSync(folder, { recursive: true });
  });

  for (const [index, { area, snippet }] of programs.entries()) {
    it(`${area}: ${snippet.title}`, () => {
      const file = fileOf(index);
      if (snippet.missing !== undefined) {
        assert.ok(complaints.has(file), 'it compiles');
        return;
      }
      assert.deepEqual(complaints.get(file) ?? [], []);
      const end = ends[file] as End;
      if (snippet.refused === undefined) assert.equal(end, null);
      else assert.ok([end?.slug, end?.name].includes(snippet.refused), JSON.stringify(end));
    });
  }

  it('has a row in docs/from-composio.md, with its outcome', () => {
    const outcome = ({ differs, missing, refused }: Snippet, index: number) => {
      if (missing !== undefined) return `does not compile: ${missing}`;
      if (differs !== undefined) return `runs. ${differs}`;
      return refused === undefined
        ? 'runs'
        : `refused: ${ends[fileOf(index)]?.message.replaceAll(url, 'https://gateway.example.com')}`;
    };
    const rows = programs.map(
      ({ area, snippet }, index) => `| ${area} | ${snippet.title} | ${outcome(snippet, index)} |`,
    );
    const count = (of: (snippet: Snippet) => unknown) =>
      programs.filter(({ snippet }) => of(snippet) !== undefined).length;
    const refused = count((snippet) => snippet.refused);
    const missing = count((snippet) => snippet.missing);
    const differs = count((snippet) => snippet.differs);
    const section = `## What runs

The table has ${programs.length} documented programs. ${programs.length - refused - missing} run with only the import changed, ${differs} of them with a difference.
${refused} compile, and fail with an error that says what to use. ${missing} ${missing === 1 ? 'does' : 'do'} not compile.

| area | program | here |
| --- | --- | --- |
${rows.join('\n')}

`;
    const text = readFileSync(page, 'utf8');
    const now = text.replace(/^## What runs\n.*?(?=^## )/ms, () => section);
    if (process.env.UPDATE_DOCS === '1') writeFileSync(page, now);
    else assert.equal(text, now, 'docs/from-composio.md is stale: run this test with UPDATE_DOCS=1, and commit it');
    assert.match(now, /^## What runs$/m);
  });
});

function openGateway(origin: string): Promise<Gateway> {
  const bearer = { BEARER_TOKEN: { headers: { Authorization: 'Bearer {{token}}' } } };
  return Gateway.open({
    allowPrivateHosts: ['127.0.0.1'],
    toolkits: [
      { slug: 'github', name: 'GitHub', base_url: origin, schemes: bearer },
      { slug: 'slackbot', name: 'Slackbot', base_url: `${origin}/api`, schemes: bearer },
      { slug: 'acme', name: 'Acme', base_url: origin, schemes: { API_KEY: { headers: { 'X-Key': '{{api_key}}' } } } },
    ],
  });
}

/** The ids that stand in the programs, by their names there. */
async function idsOf(gateway: Gateway): Promise<Record<string, string>> {
  const composio = new Composio({ gateway });
  const account = async (toolkit: string, userId: string, shared = false) => {
    const credential = { authScheme: 'BEARER_TOKEN', val: { token: `token-of-${userId}` } };
    const experimental = shared
      ? ({ accountType: 'SHARED', aclConfigForShared: { allowAllUsers: true } } as const)
      : undefined;
    return gateway.connectedAccounts.import({ userId, toolkit, credential, experimental });
  };
  const config = async (toolkit: string, authScheme: string) =>
    (await composio.authConfigs.create(toolkit, { type: 'use_custom_auth', authScheme })).id;
  const github = await account('github', 'ann');
  return {
    ca_github: github.id,
    ac_imported: github.authConfig.id,
    ca_slack: (await account('slackbot', 'ann')).id,
    ca_shared: (await account('slackbot', 'team', true)).id,
    ca_spare: (await account('github', 'spare')).id,
    ac_github: await config('github', 'BEARER_TOKEN'),
    ac_slack: await config('slackbot', 'BEARER_TOKEN'),
    ac_acme: await config('acme', 'API_KEY'),
    trs_existing: (await composio.create('ann')).sessionId,
  };
}
