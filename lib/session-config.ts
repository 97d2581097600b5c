// The configuration of a session: its type, its checks and its wire form.

import { type CustomTools, checkCustomTools } from './custom-tools';
import { below, Check, kindOf, LONGEST_SLUG, LONGEST_USER_ID } from './validate';

/** A choice among names: the listed ones, only these, or all but these. */
export type Choice = readonly string[] | { enable: readonly string[] } | { disable: readonly string[] };

/**
 * The configuration of a session.
 *
 * Calls depend on `toolkits` and `connectedAccounts`, and on `authConfigs` where a backend has
 * them. The rest steers the tools of the hosted backend. A gateway keeps it and echoes it, but refuses what would
 * restrict the session: `tags`, and `tools` of a toolkit.
 *
 * @example
 * ```ts
 * const config: SessionConfig = {
 *   toolkits: ['github', 'slack'],
 *   connectedAccounts: { slack: 'ca_team' },
 * };
 * ```
 */
export interface SessionConfig {
  /** The toolkits that the session may call. Default: all. */
  toolkits?: Choice;
  /** The account to use for a toolkit, instead of the user's latest one. There is no fallback to another. */
  connectedAccounts?: Record<string, string | readonly string[]>;
  /** The auth config to use for a toolkit. */
  authConfigs?: Record<string, string>;
  /**
   * Whether the session offers tools with which the user connects accounts. Default: true.
   * `callbackUrl` is where the user comes out; `waitForConnections` has the tools wait for them.
   */
  manageConnections?: boolean | { enable?: boolean; callbackUrl?: string; waitForConnections?: boolean };
  /** The tools of a toolkit to offer. A gateway has no tools, and refuses a choice among them. */
  tools?: Record<string, Choice | { tags: readonly string[] | TagFilter }>;
  /** The tools to offer, by what they are marked as, such as `readOnlyHint`. A gateway refuses them. */
  tags?: readonly string[] | TagFilter;
  /**
   * Whether a toolkit may have several accounts in the session, and how many.
   * `requireExplicitSelection`: whether every call has to name one. Default: true.
   */
  multiAccount?: { enable?: boolean; maxAccountsPerToolkit?: number; requireExplicitSelection?: boolean };
  /** The sandbox of the hosted backend. */
  workbench?: Workbench;
  /** Another name of `workbench`. */
  sandbox?: Workbench;
  /** The tools of the hosted backend to offer without a search. */
  preload?: { tools: readonly string[] | 'all' };
  /** `direct_tools` offers every tool as it is, without those that search, connect and run several. */
  sessionPreset?: 'direct_tools';
  /** An option of the Composio SDK. It has no effect: every session has `mcp`. */
  mcp?: boolean;
  /** Custom tools, which run in this process, and the time zone for prompts of the hosted backend. */
  experimental?: SessionExperiments;
}

/** The experimental part of a new session's configuration. */
export interface SessionExperiments extends CustomTools {
  /** For prompts of the hosted backend. */
  assistivePrompt?: { userTimezone?: string };
}

/** A choice among tools by what they are marked as. */
export interface TagFilter {
  /** Only tools with one of these. */
  enable?: readonly string[];
  /** No tools with any of these. */
  disable?: readonly string[];
}

/** The sandbox of the hosted backend. */
export interface Workbench {
  /** Whether there is one. */
  enable?: boolean;
  /** Whether code in it may make proxied calls. */
  enableProxyExecution?: boolean;
  /** The number of characters from which a response is put into a file in it. */
  autoOffloadThreshold?: number;
  /** Its size. */
  sandboxSize?: 'standard' | 'medium' | 'large' | 'xlarge';
}

/**
 * The parts of a session's configuration to change. `null` resets a part to its default.
 */
export type SessionUpdate = {
  [Key in Exclude<keyof SessionConfig, 'sessionPreset' | 'mcp' | 'experimental'>]?: SessionConfig[Key] | null;
} & {
  /** The version that the changes are based on. They are refused if the session has another. Default: any. */
  expectedConfigVersion?: number;
};

/** How one part is checked and written: under which name, and in which form. */
interface Part {
  wire: string;
  write(check: Check, value: unknown, path: string): unknown;
}

const PARTS: Readonly<Record<string, Part>> = {
  toolkits: { wire: 'toolkits', write: choice },
  connectedAccounts: {
    wire: 'connected_accounts',
    write: (check, value, path) =>
      eachToolkit(check, value, path, (ids, idsPath) => {
        const list = typeof ids === 'string' ? [ids] : ids;
        check.texts(list, idsPath);
        return list;
      }),
  },
  authConfigs: {
    wire: 'auth_configs',
    write: (check, value, path) =>
      eachToolkit(check, value, path, (id, idPath) => {
        check.text(id, idPath);
        return id;
      }),
  },
  manageConnections: { wire: 'manage_connections', write: manageConnections },
  tools: {
    wire: 'tools',
    write: (check, value, path) =>
      eachToolkit(check, value, path, (tools, toolsPath) => {
        if (!isObject(tools) || !('tags' in tools)) return choice(check, tools, toolsPath);
        check.object(tools, toolsPath, ['tags']);
        return { tags: tags(check, tools.tags, below(toolsPath, 'tags')) };
      }),
  },
  tags: { wire: 'tags', write: tags },
  multiAccount: { wire: 'multi_account', write: multiAccount },
  workbench: { wire: 'workbench', write: workbench },
  sandbox: { wire: 'workbench', write: workbench },
  preload: { wire: 'preload', write: preload },
};

/** The settings of the preset `direct_tools`. */
const DIRECT_TOOLS = {
  manage_connections: { enable: false },
  workbench: { enable: false },
  preload: { tools: 'all' },
  search: { enable: false },
  execute: { enable_multi_execute: false },
};

/** Checks the user and the configuration of a new session, and returns the body of the request. */
export function createSessionBody(userId: string, config: SessionConfig = {}): object {
  const check = new Check('session');
  check.text(userId, 'userId', 'give your own id of the user that the calls are made for', LONGEST_USER_ID);
  const wire: Record<string, unknown> = { user_id: userId };
  if (check.object(config, '', [...Object.keys(PARTS), 'sessionPreset', 'mcp', 'experimental'])) {
    const { sessionPreset, mcp, experimental, ...parts } = config;
    check.optionalFlag(mcp, 'mcp');
    if (experimental !== undefined) wire.experimental = experiments(check, experimental, 'experimental');
    wire.manage_connections = { enable: true };
    if (sessionPreset !== undefined && check.oneOf(sessionPreset, 'sessionPreset', ['direct_tools'])) {
      Object.assign(wire, DIRECT_TOOLS);
    }
    writeParts(check, parts, wire);
  }
  check.done();
  return wire;
}

/** Checks the changes to a session, and returns the body of the request. */
export function updateSessionBody(update: SessionUpdate): object {
  const check = new Check('session update');
  const wire: Record<string, unknown> = {};
  if (check.object(update, '', [...Object.keys(PARTS), 'expectedConfigVersion'])) {
    const { expectedConfigVersion, ...parts } = update;
    writeParts(check, parts, wire);
    if (Object.keys(wire).length === 0) check.add('The update is empty: name the keys to change, such as `toolkits`.');
    check.optionalWhole(expectedConfigVersion, 'expectedConfigVersion', 1);
    wire.expected_config_version = expectedConfigVersion;
  }
  check.done();
  return wire;
}

function writeParts(check: Check, config: Record<string, unknown>, wire: Record<string, unknown>): void {
  for (const [key, part] of Object.entries(PARTS)) {
    const value = config[key];
    if (value !== undefined) wire[part.wire] = value === null ? null : part.write(check, value, key);
  }
}

/** The part that is sent: custom tools stay in this process. */
function experiments(check: Check, value: unknown, path: string): unknown {
  if (!check.object(value, path, ['assistivePrompt', 'customTools', 'customToolkits'])) return undefined;
  checkCustomTools(check, value, path);
  const { assistivePrompt } = value;
  const promptPath = below(path, 'assistivePrompt');
  if (assistivePrompt === undefined || !check.object(assistivePrompt, promptPath, ['userTimezone'])) return undefined;
  check.optionalText(assistivePrompt.userTimezone, below(promptPath, 'userTimezone'));
  return { assistive_prompt_config: { user_timezone: assistivePrompt.userTimezone } };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function eachToolkit(
  check: Check,
  value: unknown,
  path: string,
  write: (value: unknown, path: string) => unknown,
): Record<string, unknown> | undefined {
  if (!check.map(value, path)) return undefined;
  return Object.fromEntries(
    Object.entries(value).map(([slug, of]) => {
      check.text(slug, below(path, slug), '', LONGEST_SLUG);
      return [slug, write(of, below(path, slug))];
    }),
  );
}

function choice(check: Check, value: unknown, path: string): unknown {
  if (Array.isArray(value)) {
    check.texts(value, path);
    return { enable: value };
  }
  if (!isObject(value)) {
    check.wrong(path, `must be an array of names, { enable: […] } or { disable: […] }, but is ${kindOf(value)}.`);
    return undefined;
  }
  check.object(value, path, ['enable', 'disable']);
  const { enable, disable } = value;
  if ((enable === undefined) === (disable === undefined)) {
    check.wrong(path, `must have either \`enable\` or \`disable\`.`);
  } else if (enable !== undefined) {
    check.texts(enable, below(path, 'enable'));
  } else {
    check.texts(disable, below(path, 'disable'));
  }
  return { enable, disable };
}

function tags(check: Check, value: unknown, path: string): unknown {
  if (Array.isArray(value)) {
    check.texts(value, path);
    return { enable: value };
  }
  if (!check.object(value, path, ['enable', 'disable'])) return undefined;
  const { enable, disable } = value;
  if (enable !== undefined) check.texts(enable, below(path, 'enable'));
  if (disable !== undefined) check.texts(disable, below(path, 'disable'));
  return { enable, disable };
}

function manageConnections(check: Check, value: unknown, path: string): unknown {
  if (typeof value === 'boolean') return { enable: value };
  if (!check.object(value, path, ['enable', 'callbackUrl', 'waitForConnections'])) return undefined;
  const { enable = true, callbackUrl, waitForConnections } = value;
  check.optionalFlag(enable, below(path, 'enable'));
  check.optionalText(callbackUrl, below(path, 'callbackUrl'));
  check.optionalFlag(waitForConnections, below(path, 'waitForConnections'));
  return { enable, callback_url: callbackUrl, enable_wait_for_connections: waitForConnections };
}

function multiAccount(check: Check, value: unknown, path: string): unknown {
  if (!check.object(value, path, ['enable', 'maxAccountsPerToolkit', 'requireExplicitSelection'])) return undefined;
  const { enable, maxAccountsPerToolkit, requireExplicitSelection = true } = value;
  check.optionalFlag(enable, below(path, 'enable'));
  check.optionalWhole(maxAccountsPerToolkit, below(path, 'maxAccountsPerToolkit'), 2, 10);
  check.optionalFlag(requireExplicitSelection, below(path, 'requireExplicitSelection'));
  return {
    enable,
    max_accounts_per_toolkit: maxAccountsPerToolkit,
    require_explicit_selection: requireExplicitSelection,
  };
}

function workbench(check: Check, value: unknown, path: string): unknown {
  const known = ['enable', 'enableProxyExecution', 'autoOffloadThreshold', 'sandboxSize'];
  if (!check.object(value, path, known)) return undefined;
  const { enable, enableProxyExecution, autoOffloadThreshold, sandboxSize } = value;
  check.optionalFlag(enable, below(path, 'enable'));
  check.optionalFlag(enableProxyExecution, below(path, 'enableProxyExecution'));
  check.optionalWhole(autoOffloadThreshold, below(path, 'autoOffloadThreshold'), 1);
  if (sandboxSize !== undefined) {
    check.oneOf(sandboxSize, below(path, 'sandboxSize'), ['standard', 'medium', 'large', 'xlarge']);
  }
  return {
    enable,
    enable_proxy_execution: enableProxyExecution,
    auto_offload_threshold: autoOffloadThreshold,
    sandbox_size: sandboxSize,
  };
}

function preload(check: Check, value: unknown, path: string): unknown {
  if (!check.object(value, path, ['tools'])) return undefined;
  if (value.tools !== 'all') check.texts(value.tools, below(path, 'tools'));
  return { tools: value.tools };
}
