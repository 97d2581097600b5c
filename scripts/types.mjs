/**
 * Writes what follows from lib/: index.d.ts, the declarations of the whole public surface in one file; index.mjs, the
 * ES module entry; and the table of commands of the program without Node.js.
 *
 * With --check it writes nothing, and fails if a file is not what it would write.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { generateDtsBundle } from 'dts-bundle-generator';
import ts from 'typescript';
import { standaloneTable } from '../lib/cli/standalone.ts';

const root = new URL('..', import.meta.url);

const [bundle] = generateDtsBundle(
  [
    {
      filePath: fileURLToPath(new URL('lib/index.ts', root)),
      output: { noBanner: true, exportReferencedTypes: false },
    },
  ],
  { preferredConfigPath: fileURLToPath(new URL('tsconfig.json', root)) },
);
const declarations = `// Written by \`npm run types\` from lib/.\n\n${reachable(forCallers(bundle))}`;

for (const [name, text] of [
  ['index.d.ts', declarations],
  ['index.mjs', entry(declarations)],
  ['crates/standalone/src/commands.json', `${JSON.stringify(standaloneTable(), undefined, 2)}\n`],
]) {
  const target = new URL(name, root);
  if (!process.argv.includes('--check')) {
    writeFileSync(target, text);
  } else if (readFileSync(target, 'utf8') !== text) {
    console.error(`${name} is stale: run \`npm run types\` and commit it.`);
    process.exitCode = 1;
  }
}

/** The ES module entry. Node.js finds no names in the CommonJS entry, which only re-exports them. */
function entry(text) {
  const names = parse(text)
    .statements.filter(({ modifiers }) => modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword))
    .flatMap((statement) => {
      if (ts.isVariableStatement(statement)) return statement.declarationList.declarations;
      return ts.isClassDeclaration(statement) || ts.isFunctionDeclaration(statement) ? [statement] : [];
    })
    .map(({ name }) => name.text)
    .sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1));
  // A function has a declaration for each of its overloads.
  const lines = [...new Set(names)].map((name) => `  ${name},\n`).join('');
  return `/** The ES module entry, written by \`npm run types\`. The classes are those of the CommonJS entry. */\n\nexport {\n${lines}} from './index.js';\n`;
}

/** The formatter's order of names: by letter, and a capital before the same small letter. */
function orderOf(name) {
  return name.replace(/./g, (char) => `${char.toLowerCase()}${char === char.toLowerCase() ? 1 : 0}`);
}

/**
 * The declarations for callers. An optional property may be undefined, even under `exactOptionalPropertyTypes`.
 * Constructors that are not for callers do not show native types.
 */
function forCallers(text) {
  const edits = [];
  visit(parse(text));
  // From the end, so that earlier positions stay valid.
  for (const { from, to, by } of edits.sort((a, b) => b.from - a.from))
    text = text.slice(0, from) + by + text.slice(to);
  return text;

  function visit(node) {
    if (ts.isConstructorDeclaration(node) && node.parameters.length > 0) {
      const isProtected = node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ProtectedKeyword);
      const isInternal = ts.getJSDocTags(node).some(({ tagName }) => tagName.text === 'internal');
      const by = `${isProtected ? 'protected' : 'private'} constructor();`;
      if (isProtected || isInternal) edits.push({ from: node.getStart(undefined, true), to: node.end, by });
    }
    if ((ts.isPropertySignature(node) || ts.isPropertyDeclaration(node)) && node.questionToken && node.type) {
      const needsParentheses = ts.isFunctionTypeNode(node.type) || ts.isConditionalTypeNode(node.type);
      if (needsParentheses) edits.push({ from: node.type.getStart(), to: node.type.getStart(), by: '(' });
      edits.push({ from: node.type.end, to: node.type.end, by: `${needsParentheses ? ')' : ''} | undefined` });
    }
    ts.forEachChild(node, visit);
  }
}

/** The same without declarations that are neither exported nor needed by exported ones. */
function reachable(text) {
  const { statements } = parse(text);
  const isLocal = ({ name, modifiers }) =>
    name !== undefined && !modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
  const unused = statements.find((statement) => {
    if (!isLocal(statement)) return false;
    const others = statements.filter((other) => other !== statement);
    return !others.some((other) => mentions(other, statement.name.text));
  });
  return unused === undefined ? text : reachable(text.slice(0, unused.pos) + text.slice(unused.end));
}

function mentions(node, name) {
  return (
    (ts.isIdentifier(node) && node.text === name) || ts.forEachChild(node, (child) => mentions(child, name)) === true
  );
}

function parse(text) {
  return ts.createSourceFile('index.d.ts', text, ts.ScriptTarget.Latest, true);
}
