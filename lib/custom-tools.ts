// Custom tools: functions of the caller's program that a session runs in this process. Nothing of them is sent.

import { ValidationError } from './errors';
import { reasonOf } from './native';
import type { ProxyOptions } from './proxy-options';
import type { ProxyExecuteRequest, ProxyExecuteResponse } from './proxy-request';
import { quoted } from './quoted';
import { below, Check, kindOf, LONGEST_NAME, LONGEST_SLUG, MOST_LISTED } from './validate';

/** The most characters of a slug with its prefix. */
const LONGEST_TOOL_SLUG = 60;

const PREFIX = 'LOCAL_';

/** A schema that checks a value, such as one of zod. One of its functions is enough. */
export type ToolSchema<Input> =
  | {
      /** Returns the value with defaults, or throws. */
      parse(value: unknown): Input;
    }
  | {
      /** Returns the value with defaults, or the error. */
      safeParse(value: unknown): { success: true; data: Input } | { success: false; error: unknown };
    };

/** A JSON schema of an object. It describes the input, and is not enforced. */
export type ToolJsonSchema = { readonly [key: string]: unknown } & {
  readonly parse?: never;
  readonly safeParse?: never;
};

/** The session and its user, for a custom tool while it runs. */
export interface SessionContext {
  /** The user of the session. */
  readonly userId: string;
  /** The signal of the call that runs the tool. */
  readonly signal?: AbortSignal;
  /** Calls an API as the session's user: {@link Session.proxyExecute}. The signal of the tool aborts it. */
  proxyExecute<T = unknown>(
    request: ProxyExecuteRequest,
    options?: ProxyOptions & { responseType?: 'json' },
  ): Promise<ProxyExecuteResponse<T>>;
  /** Runs another custom tool of the session. */
  execute(slug: string, input?: Record<string, unknown>): Promise<ToolResult>;
}

/** A custom tool to create. */
export interface CreateTool<Schema, Input> {
  /** The display name. */
  name: string;
  /** Its description, for a model that chooses among tools. */
  description: string;
  /** The input: a schema of zod or of a library like it, or a JSON schema. */
  inputParams: Schema;
  /** The result, as documentation. */
  outputParams?: ToolSchema<unknown> | ToolJsonSchema;
  /** The toolkit that the tool calls, such as `gmail`. It becomes a part of the slug. */
  extendsToolkit?: string;
  /** An option of the Composio SDK. It has no effect. */
  preload?: boolean;
  /** Runs the tool. Its result is an object. An error that it throws is the `error` of the {@link ToolResult}. */
  execute: (input: Input, context: SessionContext) => object | Promise<object>;
}

/** A custom tool, made by {@link experimental_createTool}. */
export interface CustomTool {
  /** Its name, without the prefix that it has in a session. */
  readonly slug: string;
  /** The display name. */
  readonly name: string;
  /** The description, for a model. */
  readonly description: string;
  /** The toolkit that the tool calls. */
  readonly extendsToolkit?: string;
  /** An option of the Composio SDK. It has no effect. */
  readonly preload?: boolean;
  /** The JSON schema of the input. */
  readonly inputSchema: Record<string, unknown>;
  /** The JSON schema of the result. */
  readonly outputSchema?: Record<string, unknown>;
  /** The schema that the tool was created with. */
  readonly inputParams: unknown;
  /** The function that the tool was created with. */
  // biome-ignore lint/suspicious/noExplicitAny: the input of any tool
  readonly execute: (input: any, context: SessionContext) => object | Promise<object>;
}

/** Custom tools under one name, made by {@link experimental_createToolkit}. */
export interface CustomToolkit {
  /** The name that is a part of its tools' names in a session. */
  readonly slug: string;
  /** The display name. */
  readonly name: string;
  /** The description, for a model. */
  readonly description: string;
  /** An option of the Composio SDK. It has no effect. */
  readonly preload?: boolean;
  /** The tools of the toolkit. */
  readonly tools: readonly CustomTool[];
}

/** A custom tool of a session. */
export interface RegisteredCustomTool {
  /** Its name in the session, such as `LOCAL_GREP`. */
  slug: string;
  /** The display name. */
  name: string;
  /** The description, for a model. */
  description: string;
  /** The toolkit that it extends or belongs to. */
  toolkit?: string;
  /** The JSON schema of the input. */
  inputSchema: Record<string, unknown>;
  /** The JSON schema of the result. */
  outputSchema?: Record<string, unknown>;
}

/** Custom tools of a session under one name. */
export interface RegisteredCustomToolkit {
  /** The slug that it was created with. */
  slug: string;
  /** The display name. */
  name: string;
  /** The description, for a model. */
  description: string;
  /** The tools of the toolkit. */
  tools: RegisteredCustomTool[];
}

/** The result of a custom tool. */
export interface ToolResult {
  /** The tool's result; empty if it failed. */
  // biome-ignore lint/suspicious/noExplicitAny: the result of any tool
  data: Record<string, any>;
  /** Why the tool failed; null if it did not. */
  error: string | null;
  /** Empty, because nothing is logged. */
  logId: string;
  /** Whether the tool failed. */
  resultType: 'completed' | 'failed';
}

/** The custom tools that a session is given. */
export interface CustomTools {
  /** Tools outside of a toolkit. */
  customTools?: readonly CustomTool[];
  /** Toolkits, with their tools. */
  customToolkits?: readonly CustomToolkit[];
}

/** The tools and the toolkits that were made here, so that no other object passes for one. */
const TOOLS = new WeakSet<object>();
const TOOLKITS = new WeakSet<object>();

/**
 * Creates a custom tool: a function of your program with a described input, which a session runs in this process.
 *
 * @param slug Its name: letters, digits, `_` and `-`. In a session it has the prefix `LOCAL_`, with `extendsToolkit` or
 * the toolkit behind it.
 * @param tool Its description, its input, and `execute`.
 * @throws {ValidationError} If an argument is missing, unknown or cannot be used.
 *
 * @example
 * ```ts
 * const stars = experimental_createTool('COUNT_STARS', {
 *   name: 'Count stars',
 *   description: "Counts the stars of the user's repository",
 *   extendsToolkit: 'github',
 *   inputParams: { type: 'object', properties: { repository: { type: 'string' } } },
 *   execute: async ({ repository }, context) => {
 *     const endpoint = `/repos/${repository}`;
 *     const { data } = await context.proxyExecute<{ stargazers_count: number }>({
 *       toolkit: 'github',
 *       endpoint,
 *       method: 'GET',
 *     });
 *     return { stars: data.stargazers_count };
 *   },
 * });
 * ```
 */
export function experimental_createTool<Input>(slug: string, tool: CreateTool<ToolSchema<Input>, Input>): CustomTool;
export function experimental_createTool(
  slug: string,
  // biome-ignore lint/suspicious/noExplicitAny: a JSON schema has no type of its own
  tool: CreateTool<ToolJsonSchema, any>,
): CustomTool;
export function experimental_createTool(slug: string, tool: CreateTool<unknown, unknown>): CustomTool {
  const check = new Check('custom tool');
  checkSlug(check, slug);
  const known = ['name', 'description', 'inputParams', 'outputParams', 'extendsToolkit', 'preload', 'execute'];
  if (check.object(tool, '', known)) {
    checkNamed(check, tool);
    check.record(tool.inputParams, 'inputParams');
    if (tool.outputParams !== undefined) check.record(tool.outputParams, 'outputParams');
    check.optionalText(tool.extendsToolkit, 'extendsToolkit', LONGEST_SLUG);
    if (typeof tool.execute !== 'function') {
      check.wrong('execute', `must be a function, but is ${kindOf(tool.execute)}.`);
    }
    checkLength(check, nameOf(slug, tool.extendsToolkit as string | undefined), 'slug');
  }
  check.done();
  const { name, description, inputParams, outputParams, extendsToolkit, preload, execute } = tool;
  return remembered(TOOLS, {
    slug,
    name,
    description,
    extendsToolkit,
    preload,
    inputSchema: jsonSchemaOf(inputParams as object),
    outputSchema: outputParams && jsonSchemaOf(outputParams as object),
    inputParams,
    execute,
  });
}

/**
 * Creates a toolkit of custom tools. In a session, the slug of each begins with `LOCAL_` and the slug of the toolkit.
 *
 * @param slug Its name: letters, digits, `_` and `-`.
 * @param toolkit Its description, and the tools, none of which has `extendsToolkit`.
 * @throws {ValidationError} If an argument is missing, unknown or cannot be used.
 *
 * @example
 * ```ts
 * const greet = experimental_createTool('GREET', {
 *   name: 'Greet',
 *   description: 'Greets a member of the team',
 *   inputParams: { type: 'object', properties: { name: { type: 'string' } } },
 *   execute: async ({ name }) => ({ greeting: `Hello ${name}` }),
 * });
 * const team = experimental_createToolkit('TEAM', { name: 'Team', description: 'Tools of the team', tools: [greet] });
 * ```
 */
export function experimental_createToolkit(
  slug: string,
  toolkit: { name: string; description: string; preload?: boolean; tools: readonly CustomTool[] },
): CustomToolkit {
  const check = new Check('custom toolkit');
  checkSlug(check, slug);
  if (check.object(toolkit, '', ['name', 'description', 'preload', 'tools'])) {
    checkNamed(check, toolkit);
    for (const [tool, path] of toolsIn(check, toolkit.tools, 'tools')) {
      if (tool.extendsToolkit !== undefined) check.wrong(path, 'has `extendsToolkit`: leave it out in a toolkit.');
      checkLength(check, nameOf(tool.slug, slug), path);
    }
    if (Array.isArray(toolkit.tools) && toolkit.tools.length === 0) check.wrong('tools', 'has no tool.');
  }
  check.done();
  const { name, description, preload, tools } = toolkit;
  return remembered(TOOLKITS, { slug, name, description, preload, tools: Object.freeze([...tools]) });
}

/** A tool under its name in a session. */
interface Entry {
  slug: string;
  toolkit?: string;
  tool: CustomTool;
}

/** The custom tools of a session. */
export interface ToolRegistry {
  entries: readonly Entry[];
  toolkits: readonly CustomToolkit[];
}

/** Checks the custom tools for a session. */
export function checkCustomTools(check: Check, { customTools, customToolkits }: Record<string, unknown>, path: string) {
  const slugs = new Set<string>();
  const add = (slug: string, toolPath: string) => {
    if (slugs.has(slug)) check.wrong(toolPath, `has the slug \`${slug}\`, as another tool of the session.`);
    slugs.add(slug);
  };
  for (const [tool, toolPath] of toolsIn(check, customTools ?? [], below(path, 'customTools'))) {
    add(nameOf(tool.slug, tool.extendsToolkit), toolPath);
  }
  for (const [toolkit, toolkitPath] of toolkitsIn(check, customToolkits ?? [], below(path, 'customToolkits'))) {
    for (const tool of toolkit.tools) add(nameOf(tool.slug, toolkit.slug), toolkitPath);
  }
}

/** The registry of checked custom tools. */
export function registryOf({ customTools = [], customToolkits: toolkits = [] }: CustomTools = {}): ToolRegistry {
  const entry = (tool: CustomTool, toolkit?: string) => ({ slug: nameOf(tool.slug, toolkit), toolkit, tool });
  const own = customTools.map((tool) => entry(tool, tool.extendsToolkit));
  return {
    entries: [...own, ...toolkits.flatMap(({ slug, tools }) => tools.map((tool) => entry(tool, slug)))],
    toolkits,
  };
}

/** The custom tools, as a session shows them. */
export function registeredTools({ entries }: ToolRegistry, toolkit?: string): RegisteredCustomTool[] {
  return entries
    .filter((entry) => toolkit === undefined || entry.toolkit?.toLowerCase() === toolkit.toLowerCase())
    .map(registered);
}

/** The toolkits of custom tools, as a session shows them. */
export function registeredToolkits({ entries, toolkits }: ToolRegistry): RegisteredCustomToolkit[] {
  return toolkits.map(({ slug, name, description, tools }) => ({
    slug,
    name,
    description,
    tools: entries.filter((entry) => entry.toolkit === slug && tools.includes(entry.tool)).map(registered),
  }));
}

/**
 * The tool that is meant by its name in the session, or by the slug that it was created with, if only one has it;
 * undefined if there is none.
 */
export function toolBySlug({ entries }: ToolRegistry, slug: string): CustomTool | undefined {
  const wanted = slug.toUpperCase();
  const exact = entries.find((entry) => entry.slug === wanted);
  const candidates = exact ? [exact] : entries.filter(({ tool }) => tool.slug.toUpperCase() === wanted);
  if (candidates.length > 1) {
    const names = candidates.map((candidate) => `\`${candidate.slug}\``).join(' or ');
    throw new ValidationError('custom tool', [`Several tools have the slug \`${quoted(slug)}\`: write ${names}.`], {
      field: 'slug',
    });
  }
  return candidates[0]?.tool;
}

/** Runs a custom tool. A tool that fails is a result; an abort throws the signal's reason. */
export async function runTool(tool: CustomTool, input: unknown, context: SessionContext): Promise<ToolResult> {
  const { signal } = context;
  if (signal?.aborted) throw reasonOf(signal);
  try {
    const data: unknown = (await tool.execute(checkedInput(tool.inputParams, input), context)) ?? {};
    if (typeof data !== 'object') throw new Error(`The tool returned ${kindOf(data)}, not an object.`);
    return { data: data as object, error: null, logId: '', resultType: 'completed' };
  } catch (error) {
    if (signal?.aborted) throw reasonOf(signal);
    return { data: {}, error: messageOf(error), logId: '', resultType: 'failed' };
  }
}

function checkedInput(schema: unknown, input: unknown): unknown {
  const { parse, safeParse } = schema as { [Name in 'parse' | 'safeParse']?: unknown };
  if (typeof safeParse === 'function') {
    const { success, data, error } = safeParse.call(schema, input);
    if (success) return data;
    throw new Error(`The input of the tool cannot be used: ${messageOf(error)}`, { cause: error });
  }
  if (typeof parse !== 'function') return input;
  try {
    return parse.call(schema, input);
  } catch (error) {
    throw new Error(`The input of the tool cannot be used: ${messageOf(error)}`, { cause: error });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * The JSON schema of a schema: itself, or the text that a library writes for it. A schema of a library that writes
 * none, such as zod 3, is any object.
 */
function jsonSchemaOf(schema: object): Record<string, unknown> {
  if (!('parse' in schema || 'safeParse' in schema)) return { ...schema };
  const { toJSONSchema } = schema as { toJSONSchema?: unknown };
  return typeof toJSONSchema === 'function' ? toJSONSchema.call(schema) : { type: 'object' };
}

function registered({ slug, toolkit, tool }: Entry): RegisteredCustomTool {
  const { name, description, inputSchema, outputSchema } = tool;
  return { slug, name, description, toolkit, inputSchema, outputSchema };
}

/** The name of a tool in a session. */
function nameOf(slug: string, toolkit?: string): string {
  return `${PREFIX}${toolkit === undefined ? '' : `${toolkit}_`}${slug}`.toUpperCase();
}

function checkSlug(check: Check, slug: unknown): void {
  if (!check.text(slug, 'slug', 'name the tool, such as `COUNT_STARS`', LONGEST_TOOL_SLUG)) return;
  if (!/^[\w-]+$/.test(slug)) check.wrong('slug', 'may have letters, digits, `_` and `-` only.');
  if (/^(LOCAL|COMPOSIO)_/i.test(slug)) check.wrong('slug', 'cannot begin with `LOCAL_` or `COMPOSIO_`.');
}

function checkLength(check: Check, name: string, path: string): void {
  if (name.length <= LONGEST_TOOL_SLUG) return;
  check.wrong(
    path,
    `is too long: \`${quoted(name)}\` would have ${name.length} of at most ${LONGEST_TOOL_SLUG} characters.`,
  );
}

function checkNamed(check: Check, { name, description, preload }: Record<string, unknown>): void {
  check.text(name, 'name', '', LONGEST_NAME);
  check.text(description, 'description');
  check.optionalFlag(preload, 'preload');
}

/** The tools of a list, each with its path. */
function toolsIn(check: Check, list: unknown, path: string): [CustomTool, string][] {
  return madeIn(check, list, path, TOOLS, 'experimental_createTool') as [CustomTool, string][];
}

/** The toolkits of a list, each with its path. */
function toolkitsIn(check: Check, list: unknown, path: string): [CustomToolkit, string][] {
  return madeIn(check, list, path, TOOLKITS, 'experimental_createToolkit') as [CustomToolkit, string][];
}

function madeIn(check: Check, list: unknown, path: string, made: WeakSet<object>, by: string): [unknown, string][] {
  if (!check.list(list, path) || !check.atMost(list.length, MOST_LISTED, 'entries', path)) return [];
  return list.flatMap((item, index): [unknown, string][] => {
    if (made.has(Object(item))) return [[item, `${path}[${index}]`]];
    check.wrong(`${path}[${index}]`, `was not made by \`${by}\` of this package.`);
    return [];
  });
}

function remembered<T extends object>(made: WeakSet<object>, item: T): T {
  made.add(item);
  return Object.freeze(item);
}
