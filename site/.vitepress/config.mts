// The site of the documentation: the pages of docs/ and the API reference, which TypeDoc has generated into reference/.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { slug } from 'github-slugger';
import type { Plugin } from 'vite';
import { type DefaultTheme, defineConfig } from 'vitepress';
import manifest from '../../package.json' with { type: 'json' };
import reference from '../reference/typedoc-sidebar.json' with { type: 'json' };
import { links } from './links.mts';
import { CONTENTS, GROUPS, PAGES, place, ROOT } from './pages.mts';

const repository = manifest.repository.url.replace(/^git\+|\.git$/g, '');
/** The folders without a page. */
const others = readdirSync(ROOT, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !['site', ...PAGES].some((path) => path.split('/')[0] === entry.name))
  .map(({ name }) => `${name}/**`);
/** The groups of the API reference, always open: a group that folds has a button within a button. */
const kinds: DefaultTheme.SidebarItem[] = reference.map(({ text, items }) => ({ text, items }));
const [first = ''] = PAGES.filter((page) => page.startsWith('docs/') && page !== CONTENTS);

/** Finds Vue for the pages, which are outside of this folder. */
const vue: Plugin = {
  name: 'vue-of-pages',
  enforce: 'pre',
  resolveId(id, importer) {
    if (!/^vue(?:\/|$)/.test(id) || !importer?.endsWith('.md')) return;
    return this.resolve(id, join(ROOT, 'site/package.json'), { skipSelf: true });
  },
};

export default defineConfig({
  title: manifest.name,
  description: manifest.description,
  lang: 'en',
  base: process.env.SITE_BASE,
  srcDir: '..',
  outDir: 'dist',
  srcExclude: others,
  rewrites: place,
  vite: {
    publicDir: join(ROOT, 'site/public'),
    plugins: [vue],
    build: { chunkSizeWarningLimit: 4_000 },
  },
  transformHead: ({ siteData }) => [
    ['link', { rel: 'icon', href: `${siteData.base}favicon.svg`, type: 'image/svg+xml' }],
  ],
  markdown: {
    // Anchors are those of GitHub.
    anchor: { slugify: slug },
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    config(markdown) {
      links(markdown, repository);
      // No page is a template of Vue: braces are braces.
      const render = markdown.render.bind(markdown);
      markdown.render = (source, env) => render(source, env).replaceAll('{{', '&#123;&#123;');
    },
  },
  transformPageData: ({ relativePath }) =>
    relativePath.startsWith('reference/') ? { frontmatter: { editLink: false } } : undefined,
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      { text: 'Guide', link: `/${place(first)}` },
      { text: 'API reference', link: '/reference/index.md' },
      { text: 'Changes', link: '/changelog.md' },
    ],
    sidebar: {
      '/reference/': [{ text: 'API reference', link: '/reference/index.md' }, ...kinds],
      '/': [
        { text: 'Overview', link: '/' },
        ...GROUPS.map(({ heading, pages }) => ({
          text: heading,
          items: pages.map(({ page, name }) => ({ text: name, link: `/${place(page)}` })),
        })),
        { text: 'API reference', link: '/reference/index.md' },
      ],
    },
    socialLinks: [{ icon: 'github', link: repository }],
    editLink: { pattern: `${repository}/edit/main/:path`, text: 'Edit this page' },
    notFound: { quote: 'The site has no page at this address.', linkText: 'Overview', linkLabel: 'Overview' },
    docFooter: { prev: 'Previous', next: 'Next' },
  },
});
