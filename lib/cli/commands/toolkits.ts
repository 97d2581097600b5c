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
  options: {},
  examples: ['npx proxy-execute toolkits list', 'npx proxy-execute toolkits list git --toolkit ./toolkits'],
  run: (given, terminal) =>
    withToolkits(given, async ({ toolkits }) => {
      const [search] = given.parameters;
      const { items } = await toolkits.list({ search });
      const rows = items.map(({ slug, name, authSchemes }) => [slug, name, authSchemes.join(' ')]);
      terminal.result(items, () => terminal.table(['SLUG', 'NAME', 'SCHEMES'], rows));
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

function schemeLines({ mode, fields }: Toolkit['authConfigDetails'][number]): string[] {
  const { required, optional } = fields.connectedAccountInitiation;
  return ['', `${mode}:`, ...[...required, ...optional].map(fieldLine)];
}

function fieldLine({ name, description, isSecret, default: standard }: ToolkitInputField): string {
  const how = isSecret ? 'secret, prompted for' : `--field ${name}=…`;
  const about = [description, standard && `Default: ${standard}`].filter(Boolean).join('. ');
  return `  ${name}  (${how})${about && `  ${about}`}`;
}
