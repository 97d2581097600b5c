/** The files in `deploy/`: their options, ports and paths are those of the program, and their scripts work. */

import assert from 'node:assert/strict';
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { Gateway } from '../index.js';
import { portToComeBackTo } from './support/ports';

const TOP = join(__dirname, '..');
const COMMAND = join(TOP, 'bin', 'proxy-execute.js');
const read = (path: string) => readFileSync(join(TOP, 'deploy', path), 'utf8');

const CONTAINERFILE = read('Containerfile');
const COMPOSE = read('compose/compose.yaml');
const DEPLOYMENT = read('kubernetes/deployment.yaml');
const MIGRATE = read('kubernetes/migrate.yaml');
const UNIT = read('systemd/proxy-execute.service');
const CONFIGURATIONS = ['compose/gateway.toml', 'kubernetes/gateway.toml'];

interface Table {
  commands: { name: string; options: { name: string }[] }[];
  globals: { name: string }[];
}
const table: Table = JSON.parse(readFileSync(join(TOP, 'crates', 'standalone', 'src', 'commands.json'), 'utf8'));
const serve = table.commands.find(({ name }) => name === 'serve')?.options.map(({ name }) => name) ?? [];
const options = new Set([...serve, ...table.globals.map(({ name }) => name)]);

/** The value of a key in a configuration file. */
const valueIn = (toml: string, key: string) => new RegExp(`^${key} = "?([^"\\n]+)"?$`, 'm').exec(toml)?.[1];

describe('the files for deploying', () => {
  const folder = mkdtempSync(join(tmpdir(), 'proxy-execute-deploy-'));
  after(() => rmSync(folder, { recursive: true }));

  it('have options of serve only', () => {
    let checked = 0;
    for (const file of CONFIGURATIONS) {
      for (const [, name = ''] of read(file).matchAll(/^([a-z-]+) =/gm)) {
        assert.ok(options.has(name), `${file}: ${name}`);
        checked++;
      }
    }
    const lines = [CONTAINERFILE, COMPOSE, DEPLOYMENT, UNIT].join('\n').split('\n');
    for (const line of lines.filter((line) => /(\[|")serve\b| serve /.test(line))) {
      for (const [, name = ''] of line.matchAll(/--([a-z-]+)/g)) {
        assert.ok(options.has(name), line);
        checked++;
      }
    }
    assert.ok(checked > 15, String(checked));
    assert.match(COMPOSE, /command: \[store, migrate\]/);
    assert.match(MIGRATE, /args: \[store, migrate\]/);
    assert.ok(table.commands.some(({ name }) => name === 'store migrate'));
  });

  it('agree on ports, paths and users', () => {
    const configuration = read('kubernetes/gateway.toml');
    const port = valueIn(configuration, 'port');
    const metrics = valueIn(configuration, 'metrics')?.split(':')[1];
    assert.match(DEPLOYMENT, new RegExp(`name: http\\n *containerPort: ${port}\\n`));
    assert.match(DEPLOYMENT, new RegExp(`name: metrics\\n *containerPort: ${metrics}\\n`));
    assert.ok(CONTAINERFILE.includes(`EXPOSE ${port} ${metrics}`));
    assert.ok(CONTAINERFILE.includes(`"127.0.0.1:${metrics}"`) && read('health').includes(`:-${metrics}}`));
    assert.ok(COMPOSE.includes(`127.0.0.1:${port}:${port}`));
    const mounted = [...DEPLOYMENT.matchAll(/mountPath: (.+)/g)].map(([, path = '']) => path);
    for (const [path] of configuration.matchAll(/\/run[^"]*/g)) {
      assert.ok(
        mounted.some((folder) => path.startsWith(`${folder}/`)),
        path,
      );
    }
    const [, user] = /^USER (\d+):/m.exec(CONTAINERFILE) ?? [];
    for (const text of [DEPLOYMENT, MIGRATE]) assert.equal(/runAsUser: (\d+)/.exec(text)?.[1], user);
    const [image] = /image: \S+/.exec(DEPLOYMENT) ?? [];
    assert.ok(image !== undefined && MIGRATE.includes(image));
    const { version } = JSON.parse(readFileSync(join(TOP, 'package.json'), 'utf8'));
    assert.ok(image.endsWith(`:${version}`), image);
  });

  it('wait for a gateway that drains', () => {
    const delays = {
      kubernetes: [Number(valueIn(read('kubernetes/gateway.toml'), 'drain-delay')), /GracePeriodSeconds: (\d+)/],
      compose: [Number(/--drain-delay, '(\d+)'/.exec(COMPOSE)?.[1]), /stop_grace_period: (\d+)s/],
    } as const;
    for (const [file, [delay, limit]] of Object.entries(delays)) {
      const waits = Number(limit.exec(DEPLOYMENT + COMPOSE)?.[1]);
      assert.ok(delay > 0 && waits > 2 * delay + 5, `${file}: ${waits} s for ${delay} s`);
    }
  });

  it('have a configuration that serve accepts', async () => {
    const configuration = read('kubernetes/gateway.toml').replaceAll('/run/secrets/gateway', folder);
    writeFileSync(join(folder, 'gateway.toml'), configuration);
    writeFileSync(join(folder, 'store'), `${join(folder, 'gateway.db')}\n`);
    writeFileSync(join(folder, 'encryption-key'), '11'.repeat(32), { mode: 0o600 });
    const args = [COMMAND, 'serve', '--check', '--config', join(folder, 'gateway.toml')];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder });
    assert.match(stdout, /The options are valid\./);
  });

  it('copy what the image is built from', () => {
    const ignored = read('Containerfile.containerignore').split('\n');
    for (const [, names = ''] of CONTAINERFILE.matchAll(/^COPY (?!--from)(?:--\S+ )*(.+) \S+$/gm)) {
      for (const name of names.split(' ')) {
        assert.ok(existsSync(join(TOP, name)), name);
        assert.ok(ignored.includes(`!${name}`), name);
      }
    }
    const { stdout } = spawnSync('bash', ['-n', join(TOP, 'deploy', 'build'), join(TOP, 'deploy', 'health')]);
    assert.equal(String(stdout), '');
  });

  it('have a health check that tells a gateway from none', { skip: process.platform === 'win32' }, async () => {
    const health = (port: number) =>
      promisify(execFile)(join(TOP, 'deploy', 'health'), [String(port)]).then(
        () => 0,
        ({ code }) => code,
      );
    assert.equal(await health(await portToComeBackTo()), 1);
    await using gateway = await Gateway.open({ encryptionKey: '11'.repeat(32) });
    const { port } = await gateway.listen();
    assert.equal(await health(port), 0);
  });

  const systemd = spawnSync('systemd-analyze', ['--version']).status === 0;
  it('have a unit that systemd accepts', { skip: !systemd && 'There is no systemd-analyze.' }, () => {
    const unit = join(folder, 'proxy-execute.service');
    writeFileSync(unit, UNIT.replace('/usr/local/bin/proxy-execute-gateway', process.execPath));
    execFileSync('systemd-analyze', ['verify', unit]);
  });
});
