// Checks that imports point down: between crates, between the modules of a crate or of a folder in it, and
// between the files of lib/. Where they form a circle or point up, it names two files.
//
// Beside other modules, a Rust module and its submodules count as one. Imports of tests do not count.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';

/** The crates from the lowest floor to the highest. A crate depends on lower floors only. */
const FLOORS = [['protocol'], ['transport', 'store'], ['client', 'gateway'], ['server'], ['addon', 'standalone']];

const failures = [];

checkCrates();
for (const name of FLOORS.flat()) {
  const source = name === 'addon' ? 'src' : `crates/${name}/src`;
  const root = join(source, existsSync(join(source, 'lib.rs')) ? 'lib.rs' : 'main.rs');
  checkCircles(source, (folder) => rustEdges(folder, root, 'crate'));
  for (const folder of foldersBelow(source)) {
    const path = ['crate', ...relative(source, folder).split('/')].join('::');
    checkCircles(folder, () => rustEdges(folder, `${folder}.rs`, path));
  }
}
checkCircles('lib', typescriptEdges);

for (const failure of failures) console.error(failure);
process.exitCode = failures.length === 0 ? 0 : 1;

function checkCrates() {
  const floorOf = (name) => FLOORS.findIndex((floor) => floor.includes(name));
  for (const name of FLOORS.flat()) {
    const manifest = name === 'addon' ? 'Cargo.toml' : `crates/${name}/Cargo.toml`;
    const dependencies = /^\[dependencies\]\n([^[]*)/m.exec(readFileSync(manifest, 'utf8'))?.[1] ?? '';
    for (const [, other] of dependencies.matchAll(/^proxy-execute-(\w+)/gm)) {
      if (floorOf(other) >= floorOf(name)) {
        failures.push(`${manifest} depends on crates/${other}/Cargo.toml, which is not on a lower floor.`);
      }
    }
  }
}

/** Fails if imports form a circle, and names two files of the shortest one. */
function checkCircles(folder, edgesOf) {
  const edges = edgesOf(folder);
  const circles = edges.map((edge) => ({ ...edge, path: pathBetween(edges, edge.to, edge.from) }));
  const [circle] = circles.filter(({ path }) => path).sort((a, b) => a.path.length - b.path.length);
  if (!circle) return;
  const { to, file, target, path } = circle;
  failures.push(`${file} imports ${target}, and ${[to, ...path].join(' → ')} leads back.`);
}

/** The modules on the way from one to another, or undefined if there is none. */
function pathBetween(edges, start, end) {
  const paths = new Map([[start, []]]);
  const queue = [start];
  for (const name of queue) {
    if (name === end) return paths.get(name);
    for (const { from, to } of edges) {
      if (from === name && !paths.has(to)) {
        paths.set(to, [...paths.get(name), to]);
        queue.push(to);
      }
    }
  }
  return undefined;
}

function filesBelow(folder, extension) {
  const names = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(extension));
  return names.map((name) => join(folder, name)).sort();
}

/** The folders of modules below a folder. */
function foldersBelow(folder) {
  const folders = readdirSync(folder, { recursive: true }).map((name) => join(folder, name));
  return folders.filter((path) => existsSync(`${path}.rs`) && !path.endsWith('/tests')).sort();
}

/** The imports between the modules of a folder. `root` declares them, and `path` is its path in the crate. */
function rustEdges(folder, root, path) {
  const moduleOf = (file) => relative(folder, file).split('/')[0].replace(/\.rs$/, '');
  const files = filesBelow(folder, '.rs').filter((file) => !/(^|\/)tests(\.rs|\/)/.test(file));
  const modules = new Set(files.map(moduleOf));
  const reexported = new Map();
  for (const [, from, names] of withoutTests(root).matchAll(
    /^pub(?:\(crate\))? use (?:self::)?(\w+)(?:::\w+)*::(\{[^}]*\}|\w+)/gm,
  )) {
    for (const [name] of names.matchAll(/\w+/g)) reexported.set(name, from);
  }
  return files.flatMap((file) => {
    const from = moduleOf(file);
    if (from === 'lib') return [];
    const up = relative(folder, dirname(file)) === '' ? 'super' : 'super::super';
    const paths = withoutTests(file).matchAll(
      new RegExp(`\\b(?:${path}|(?<!super::)${up})::(\\{[^;]*?\\};|\\w+)`, 'g'),
    );
    const names = [...paths].flatMap(([, names]) => firstSegments(names));
    const targets = new Set(names.map((name) => (modules.has(name) ? name : (reexported.get(name) ?? 'lib'))));
    targets.delete(from);
    // The items of the root itself are below all modules.
    targets.delete('lib');
    const fileOf = (name) => files.find((other) => moduleOf(other) === name) ?? root;
    return [...targets].map((to) => ({ from, to, file, target: fileOf(to) }));
  });
}

/** The first segment of each path in `{a, b::{c, d}}`. */
function firstSegments(names) {
  if (!names.startsWith('{')) return [names];
  let inner = names.slice(1, names.lastIndexOf('}'));
  while (inner.includes('{')) inner = inner.replace(/\{[^{}]*\}/g, '');
  return inner.split(',').flatMap((path) => path.trim().match(/^\w+/)?.slice(0, 1) ?? []);
}

/** A file without comments, and without the modules of tests at its end. */
function withoutTests(file) {
  const text = readFileSync(file, 'utf8').replace(/\/\/.*$/gm, '');
  return text.split(/^#\[cfg\(test\)\]\n(?:pub )?mod \w+ \{/m)[0];
}

function typescriptEdges(folder) {
  return filesBelow(folder, '.ts').flatMap((file) => {
    const imports = readFileSync(file, 'utf8').matchAll(/^(?:import|export)\b[^;]*?\bfrom '(\.[^']*)'/gm);
    return [...imports].flatMap(([, path]) => {
      const target = normalize(join(dirname(file), `${path.replace(/\.js$/, '')}.ts`));
      return existsSync(target) ? [{ from: file, to: target, file, target }] : [];
    });
  });
}
