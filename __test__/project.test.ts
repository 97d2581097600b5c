/**
 * The files for contributors: the commands that they name exist, and their lists are complete.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, it } from 'node:test';

const root = join(__dirname, '..');
const text = (file: string) => readFileSync(join(root, file), 'utf8');
const tracked = (...patterns: string[]) =>
  execFileSync('git', ['ls-files', '--', ...patterns], { cwd: root, encoding: 'utf8' })
    .split('\n')
    .filter((file) => file && existsSync(join(root, file)));
const words = (list = '') => list.split(' ').filter(Boolean);

const rootPages = tracked(':(glob)*.md', ':(glob).github/**/*.md');
/** Files that name commands of this repository, and none of a user's program. */
const files = [...rootPages, ...tracked('.github'), 'docs/architecture.md', 'docs/performance.md', 'docs/STYLE.md'];
const steps = words(/^STEPS=\((.*)\)$/m.exec(text('.ci/run'))?.[1]);

/** The matches of a pattern, each after the name of its file. */
const found = (pattern: RegExp) =>
  files.flatMap((file) => [...text(file).matchAll(pattern)].map((match) => [file, ...match.slice(1)] as const));

describe('a command that a page or a workflow names', () => {
  it('is an npm script', () => {
    const named = found(/npm (?:--prefix (\S+) )?run ([\w:-]+)/g);
    assert.ok(named.length >= 10, `${named.length} scripts`);
    for (const [file, folder = '.', script = ''] of named) {
      const { scripts } = JSON.parse(text(join(folder, 'package.json')));
      assert.ok(script in scripts, `${file} names \`npm run ${script}\`, which ${folder}/package.json does not have`);
    }
  });

  it('is a step of .ci/run', () => {
    const named = found(/\.ci\/run((?: [a-z]+)+)(?=[\n`]| {2})/g).flatMap(([file, list]) =>
      words(list).map((step) => [file, step] as const),
    );
    assert.ok(named.length >= 5, `${named.length} steps`);
    for (const [file, step] of named) assert.ok(steps.includes(step), `${file} names \`.ci/run ${step}\``);
  });

  it('is a test that exists', () => {
    const named = found(/(__test__\/[\w-]+\.test\.ts)/g);
    assert.ok(named.length > 0);
    for (const [file, test = ''] of named) assert.ok(existsSync(join(root, test)), `${file} names ${test}`);
  });
});

describe('.ci/run', () => {
  it('describes each of its steps, and has a function for it', () => {
    const script = text('.ci/run');
    const described = [...script.matchAll(/^# {3}(\w+) {2,}\S/gm)].map(([, step]) => step);
    assert.deepEqual(described, steps);
    for (const step of steps) assert.match(script, new RegExp(`^${step}_?\\(\\) \\{$`, 'm'));
  });

  it('runs with each of its steps in .github/workflows/ci.yml', () => {
    const runs = [...text('.github/workflows/ci.yml').matchAll(/- run: \.ci\/run (.+)/g)];
    assert.deepEqual(runs.flatMap(([, list]) => words(list)).sort(), [...steps].sort());
  });
});

describe('.github/dependabot.yml', () => {
  // It has an old SDK on purpose.
  const old = 'compat/python/requirements.txt';
  const manifests = { cargo: 'Cargo.lock', npm: 'package-lock.json', pip: 'requirements.txt' };
  for (const [ecosystem, manifest] of Object.entries(manifests)) {
    it(`has every folder with a ${manifest}`, () => {
      const section = text('.github/dependabot.yml')
        .split(/^ {2}- package-ecosystem: /m)
        .find((each) => each.startsWith(ecosystem));
      const [, list = ''] = /^ {4}directories:(.*?)^ {4}schedule:/ms.exec(section ?? '') ?? [];
      const expected = tracked(`:(glob)**/${manifest}`)
        .filter((file) => file !== old)
        .map((file) => normalize(join('/', dirname(file))));
      assert.deepEqual((list.match(/\/[\w/-]*/g) ?? []).sort(), expected.sort());
    });
  }
});

describe('.editorconfig', () => {
  it('has the widths of the formatters', () => {
    const sections = text('.editorconfig').split(/^\[(.*)\]$/m);
    const widthOf = (glob: string) =>
      Number(/^max_line_length = (\d+)$/m.exec(sections[sections.indexOf(glob) + 1] ?? '')?.[1]);
    assert.equal(widthOf('*.rs'), Number(/^max_width = (\d+)$/m.exec(text('rustfmt.toml'))?.[1]));
    assert.equal(widthOf('*'), JSON.parse(text('biome.json')).formatter.lineWidth);
  });
});

describe('a version', () => {
  it('is the same in package.json and Cargo.toml', () => {
    assert.ok(text('Cargo.toml').includes(`\nversion = "${JSON.parse(text('package.json')).version}"\n`));
  });

  it('of Rust is where the workflow looks for it', () => {
    assert.match(text('.github/workflows/ci.yml'), /\^rust-version = /);
    assert.match(text('Cargo.toml'), /^rust-version = "[\d.]+"$/m);
  });
});

describe('a link of a page outside docs/', () => {
  /** The anchors of a page, as GitHub makes them from headings. */
  const anchors = (page: string) =>
    [...text(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replace(/\s/g, '-'),
    );

  for (const page of rootPages) {
    it(`leads to an existing file and heading: ${page}`, () => {
      for (const [, file = '', anchor] of text(page).matchAll(/\]\((?!https?:)([^)#]*)#?([^)]*)\)/g)) {
        const target = file ? join(dirname(page), file) : page;
        assert.ok(existsSync(join(root, target)), `${page}: ${target}`);
        if (anchor) assert.ok(anchors(target).includes(anchor), `${page}: ${target}#${anchor}`);
      }
    });
  }
});
