// `toolkits`: what can be called, and what it takes to connect an account.

import { Composio } from '../../composio';
import { Gateway } from '../../gateway';
import type { ToolkitInputField } from '../../input-field';
import { quoted } from '../../quoted';
import type { Toolkit } from '../../toolkits';
import type { Command, Given } from '../command';

const list: Command = {
  name: 'toolkits list',
  summary: 'Lists the toolkits that can be called',
  parameters: ['[search]'],
  options: {
    category: { value: '<id>', oneRun: true, description: 'The category, such as crm. Default: all categories' },
  },
  examples: [
    'npx proxy-execute toolkits list',
    'npx proxy-execute toolkits list --category crm',
    'npx proxy-execute toolkits list git --toolkit ./toolkits',
  ],
  run: (given, terminal) =>
    withToolkits(given, async ({ toolkits }) => {
      const [search] = given.parameters;
      const { items } = await toolkits.list({ search, category: given.text('category') });
      const rows = items.map(({ slug, name, meta, authSchemes }) => [
        slug,
        name,
        meta.categories.map(({ slug: id }) => id).join(' ') || null,
        authSchemes.join(' '),
      ]);
      terminal.result(items, () => terminal.table(['SLUG', 'NAME', 'CATEGORIES', 'SCHEMES'], rows));
      if (items.length === 0 && !terminal.json) {
        terminal.note(`No toolkit has \`${quoted(search ?? '')}\` in its name. Add your own with --toolkit.`);
      }
      return 0;
    }),
};

const show: Command = {
  name: 'toolkits show',
  summary: 'Shows a toolkit, and the fields that connect an account',
  parameters: ['<slug>'],
  options: {},
  examples: ['npx proxy-execute toolkits show shopify'],
  run: (given, terminal) =>
    withToolkits(given, async ({ toolkits }) => {
      const toolkit = await toolkits.get(given.parameters[0] ?? '');
      terminal.result(toolkit, () => [
        `${terminal.styled('bold', toolkit.name)} (${toolkit.slug})`,
        `API:  ${toolkit.baseUrl}`,
        `Docs: ${toolkit.meta.appUrl ?? '-'}`,
        ...toolkit.authConfigDetails.flatMap(schemeLines),
      ]);
      return 0;
    }),
};

export const toolkits = [list, show];

/** Toolkits need no store. */
async function withToolkits(given: Given, work: (composio: Composio) => Promise<number>): Promise<number> {
  const gateway = await Gateway.open({ toolkits: given.texts('toolkit') });
  try {
    return await work(new Composio({ gateway }));
  } finally {
    await gateway.close();
  }
}

function schemeLines({ mode, fields, setup, clientPage }: Toolkit['authConfigDetails'][number]): string[] {
  const { required, optional } = fields.connectedAccountInitiation;
  const page = setup?.page ?? clientPage;
  const steps = [...(page ? [`Open ${page}`] : []), ...(setup?.steps ?? [])];
  return [
    '',
    `${mode}:`,
    ...steps.map((step, index) => `  ${index + 1}. ${step}`),
    ...[...required, ...optional].map(fieldLine),
  ];
}

function fieldLine({ name, description, isSecret, default: standard }: ToolkitInputField): string {
  const how = isSecret ? 'secret, prompted for' : `--field ${name}=…`;
  const about = [description, standard && `Default: ${standard}`].filter(Boolean).join('. ');
  return `  ${name}  (${how})${about && `  ${about}`}`;
}
