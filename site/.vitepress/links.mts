// Links between pages are relative paths, which work on GitHub. In the site, a link to a page goes to its place in the
// site, and a link to another file of the repository goes to GitHub.

import { existsSync } from 'node:fs';
import { join, posix, relative, sep } from 'node:path';
import type { MarkdownRenderer } from 'vitepress';
import { isPage, place, ROOT, title } from './pages.mts';

export function links(markdown: MarkdownRenderer, repository: string): void {
  markdown.core.ruler.push('links', ({ tokens, env }) => {
    const folder = posix.dirname(relative(ROOT, env.realPath ?? env.path).replaceAll(sep, '/'));
    for (const { children } of tokens) {
      for (const [index, token] of (children ?? []).entries()) {
        const href = token.type === 'link_open' && token.attrGet('href');
        if (!href || /^(?:#|[a-z]+:)/.test(href)) continue;
        const [, path = '', anchor = ''] = /^([^#]*)(#.*)?$/.exec(href) ?? [];
        const target = posix.join(folder, decodeURI(path));
        const text = children?.[index + 1];
        if (isPage(target)) {
          token.attrSet('href', `/${place(target)}${anchor}`);
          // The name of a file says little in the site.
          if (text?.content.endsWith('.md')) text.content = title(target);
        } else {
          if (!existsSync(join(ROOT, target))) throw new Error(`${folder}: the link ${href} leads to no file`);
          token.attrSet('href', `${repository}/blob/main/${target}${anchor}`);
        }
      }
    }
  });
}
