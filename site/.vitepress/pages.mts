// The pages of the site: their files, their addresses, and their order, which is that of docs/README.md.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');
export const CONTENTS = 'docs/README.md';
const HOME = 'README.md';

/** A page, by its path from the root of the repository, and the name that links have for it. */
interface Listed {
  page: string;
  name: string;
}

/** A group of pages, by the heading it has in docs/README.md. */
interface Group {
  heading: string;
  pages: Listed[];
}

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

function groups(): Group[] {
  const found: Group[] = [];
  for (const line of read(CONTENTS).split('\n')) {
    const heading = /^## (.+)/.exec(line)?.[1];
    if (heading) found.push({ heading, pages: [] });
    if (!line.startsWith('- ')) continue;
    for (const [, text = '', link = ''] of line.matchAll(/\[([^\]]+)\]\(([^)#]+\.md)\)/g)) {
      const page = posix.join('docs', link);
      // The name of a file says little in the site.
      const name = text.endsWith('.md') ? title(page) : text.charAt(0).toUpperCase() + text.slice(1);
      found.at(-1)?.pages.push({ page, name });
    }
  }
  return found;
}

export const GROUPS = groups();

/** The pages that were written by hand. Those of the API reference are generated. */
export const PAGES = [HOME, CONTENTS, ...GROUPS.flatMap(({ pages }) => pages.map(({ page }) => page))];

const forgotten = readdirSync(join(ROOT, 'docs'))
  .map((name) => `docs/${name}`)
  .filter((page) => page.endsWith('.md') && !PAGES.includes(page));
if (forgotten.length > 0) throw new Error(`${CONTENTS} does not list ${forgotten.join(', ')}. Add a line for each.`);

/** The title of a page: its first heading. */
export function title(page: string): string {
  const heading = /^# (.+)$/m.exec(read(page))?.[1];
  if (!heading) throw new Error(`${page} has no heading`);
  return heading.replaceAll('`', '');
}

/** The place of a page in the site, from its file. */
export function place(file: string): string {
  if (file === HOME) return 'index.md';
  if (file === CONTENTS) return 'contents.md';
  if (file.startsWith('site/')) return file.slice('site/'.length);
  return file
    .replace(/^docs\//, '')
    .replace(/\/README\.md$/, '.md')
    .toLowerCase();
}

/** Whether a path from the root is a page of the site. */
export const isPage = (path: string) =>
  PAGES.includes(path) || (path.startsWith('site/reference/') && existsSync(join(ROOT, path)));
