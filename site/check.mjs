// Checks the built site: every link leads to a page and an anchor that exist, and pages load nothing from another host.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'node-html-parser';

const ORIGIN = 'http://site';
const DIST = join(import.meta.dirname, 'dist');

const files = readdirSync(DIST, { recursive: true }).map((path) => path.replaceAll('\\', '/'));
const pages = new Map(
  files
    .filter((path) => path.endsWith('.html'))
    .map((path) => [path, parse(readFileSync(join(DIST, path), 'utf8'), { comment: false })]),
);
const anchors = new Map(
  [...pages].map(([path, page]) => [path, new Set(page.querySelectorAll('[id]').map(({ id }) => id))]),
);
// The icon's address shows the base that the site was built for.
const base = pages.get('index.html').querySelector('link[rel=icon]').getAttribute('href').replace('favicon.svg', '');
const problems = [];

/** The file of an address of the site. */
function target({ pathname }) {
  if (!pathname.startsWith(base)) return undefined;
  const path = decodeURI(pathname.slice(base.length));
  return path === '' || path.endsWith('/') ? `${path}index.html` : path;
}

let links = 0;
for (const [path, page] of pages) {
  for (const element of page.querySelectorAll('[href], [src]')) {
    const address = element.getAttribute('href') ?? element.getAttribute('src');
    const url = new URL(address, `${ORIGIN}${base}${path}`);
    if (url.protocol === 'data:' || url.protocol === 'mailto:') continue;
    if (url.origin !== ORIGIN) {
      if (element.tagName !== 'A') problems.push(`${path}: <${element.tagName}> loads ${address}`);
      continue;
    }
    links += 1;
    const file = target(url);
    if (!file || !existsSync(join(DIST, file)) || statSync(join(DIST, file)).isDirectory()) {
      problems.push(`${path}: ${address} leads to no page`);
    } else if (url.hash && !anchors.get(file)?.has(decodeURIComponent(url.hash.slice(1)))) {
      problems.push(`${path}: ${address} leads to no anchor`);
    }
  }
}
for (const path of files.filter((path) => path.endsWith('.css'))) {
  const [load] = readFileSync(join(DIST, path), 'utf8').match(/(?:url\(|@import\s*)["']?(?:https?:)?\/\/[^)"']*/) ?? [];
  if (load) problems.push(`${path}: the style loads ${load}`);
}

for (const problem of new Set(problems)) console.error(problem);
console.log(`${pages.size} pages, ${links} links, ${problems.length} problems`);
process.exitCode = problems.length > 0 ? 1 : 0;
