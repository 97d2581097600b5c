// Members of the Composio SDK that need its hosted tools. They are in the types, and fail with advice.

import { UnsupportedFeatureError } from './errors';

const CALL = 'Call the API with `session.proxyExecute` or `session.fetch`.';
const EVENTS = 'Register a webhook at the API itself, or poll it with `session.proxyExecute`.';
const FILES = 'Send bytes as `binaryBody` of a call, and open files of responses with `session.download`.';
const CALLS = 'Read the record of calls with `gateway.calls.list()`.';

/** The advice for a member, or for all members of an object. */
const ADVICE: Readonly<Record<string, string>> = {
  'session.tools':
    'Call the API with `session.proxyExecute`, and give agents the MCP server at `session.mcp.url` or your own tools.',
  'session.search': CALL,
  'session.execute':
    'Call the API with `session.proxyExecute`: `session.execute` runs custom tools of the session only.',
  'session.files': FILES,
  'session.listConfigHistory': 'Keep `session.config` yourself: only the present configuration is stored.',
  tools: CALL,
  'tools.createCustomTool': 'Create the tool with `experimental_createTool`, and pass it to `composio.create`.',
  triggers: EVENTS,
  webhooks: EVENTS,
  mcp: 'A session has its own MCP server: `session.mcp.url`.',
  files: FILES,
  logs: CALLS,
  usage: CALLS,
  sessionConfigs: 'Pass the configuration to `composio.create`.',
  customToolkits: 'Define a toolkit in a file, and open the gateway with `toolkits`.',
  keyring: 'Import a credential with `gateway.connectedAccounts.import`.',
};

/** The result that a program expects of a member that is not in this package. */
// biome-ignore lint/suspicious/noExplicitAny: programs for the Composio SDK use results of any shape
export type UnsupportedResult = any;

/**
 * A member of the Composio SDK that is not in this package. It rejects with an {@link UnsupportedFeatureError}, whose
 * message says what to use instead.
 */
export type Unsupported = (...options: UnsupportedOption[]) => Promise<UnsupportedResult>;

/** An argument of a member that is not in this package: any value, so that a function in it needs no types. */
export type UnsupportedOption =
  | ((...values: UnsupportedResult[]) => UnsupportedResult)
  | { readonly [name: string]: UnsupportedOption }
  | object
  | string
  | number
  | boolean
  | null
  | undefined;

/** Members of the Composio SDK that are not in this package. */
export type UnsupportedMembers<Names extends string> = { readonly [Name in Names]: Unsupported };

/** The error of a member, such as `session.search`. */
export function unsupported(feature: string): UnsupportedFeatureError {
  const owner = feature.slice(0, feature.lastIndexOf('.'));
  return new UnsupportedFeatureError(feature, ADVICE[feature] ?? ADVICE[owner] ?? CALL);
}

/** The members of an object, such as `triggers`, that are not in this package. */
export function unsupportedMembers<Names extends string>(
  owner: string,
  names: readonly Names[],
): UnsupportedMembers<Names> {
  const members = names.map((name) => [name, async () => Promise.reject(unsupported(`${owner}.${name}`))]);
  return Object.freeze(Object.fromEntries(members));
}
