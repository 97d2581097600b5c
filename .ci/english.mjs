// Finds the phrases that docs/STYLE.md rules out, and names file, line and rule.
//
//   .ci/run english              all files of FILES
//   node .ci/english.mjs FILE …  these files
//
// Pages, comments, the strings of programs and the names of tests are English. Code blocks and quoted code are not,
// and are skipped.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** The files whose English is checked. */
const FILES = [
  '*.md',
  '*.rs',
  '*.ts',
  '*.mts',
  '*.js',
  '*.mjs',
  '*.cjs',
  '*.html',
  '*.py',
  '*.toml',
  '*.yml',
  '.ci/run',
  'cases/*.json',
  // It lists the phrases.
  ':!.ci/english.mjs',
  ':!docs/STYLE.md',
  // Each is generated from a checked file.
  ':!index.d.ts',
  ':!bench/RESULTS.md',
];

/** Phrases that break the rules wherever they are. */
const PHRASES = [
  [/\b[Ww]ho(?:so)?ever\b/, 'name the subject instead of "whoever"'],
  [/\b[Ww]hichever\b/, 'name the subject instead of "whichever"'],
  [/\b[Nn]obody\b/, 'name the subject instead of "nobody"'],
  [/\b(?:[Ss]ome|[Aa]ny)(?:body|one)\b/, 'name the user or the part of the code'],
  [/\bis to be had\b/i, 'write "is available"'],
  [/\ball the same\b/i, 'write "still", or leave it out'],
  [/\bin (?:the |its )?place of\b/i, 'write "instead of"'],
  [/\bcontract §|\bthe contract\b/i, 'cite a page of this repository'],
  [/\bis taken into\b/i, 'name the limit, or write "held in memory"'],
  [/\bhand(?:s|ed|ing)? (?:it |them )?on\b/i, 'write "stream", "pass" or "forward"'],
  [/\bonly so\b/i, 'say what depends on what'],
  [/\bwhat (?:is|are|was|were) no\b/i, 'name the thing'],
  [/\bwhat bec(?:omes|ame) of\b/i, 'write "the state", "the outcome" or "the end"'],
  [/\bis let be\b/i, 'write "is not interrupted"'],
  [/\bmade anew\b|\banew\b/i, 'write "again"'],
  [/\bonce more\b/i, 'write "again", or "retry"'],
  [/\bunder way\b/i, 'write "in flight", or "running"'],
  [/\bthe most (?:that|this)\b/i, 'write "the limit"'],
  [/\bno two of them\b/i, 'write "exactly one"'],
  [/\bstands there\b|\bis there twice\b/i, 'write "appears"'],
  [/\bstop(?:s|ped)? coming\b/i, 'write "stall"'],
  [/\b(?:goes|went|gone) away\b/i, 'write "disconnects", "is dropped" or "ends"'],
  [/\blet(?:s|ting)? go of\b/i, 'write "release"'],
  [/\bfor good\b/i, 'write "permanently"'],
  [/\btak(?:es?|en) (?:tokens |it )?back\b/i, 'write "revoke"'],
  [/\bgiv(?:es?|en) out\b/i, 'write "create", "issue" or "assign"'],
];
/** How no sentence begins. */
const BEGINNING = '(?:Who|Whose|Nobody|Not|Also|Of|Only so)';
const ADVICE = 'begin with the subject';
/** Sentences of prose. */
const SENTENCES = [
  ...PHRASES,
  [new RegExp(`(?:^|[.!?:] )${BEGINNING}\\b(?! course)`), ADVICE],
  [/(?:^|[.!:;] )What\b(?!.*\?)/, ADVICE],
  [/\b(?:an?|its|their|no|whose|each|every) answers?\b/i, 'write "response"'],
  [/\b(?:is|are|was|were) answered\b/i, 'write "gets a response"'],
];
/** Strings of a program, which begin after a quote. */
const STRINGS = [
  ...PHRASES,
  [new RegExp(`(?:["'\`]|[a-z\`)][.!?] )${BEGINNING} [a-z]`), ADVICE],
  [/\b(?:describe|it|test)\((["'`])(?:who|whose|what|nobody|not|also) /, ADVICE],
];
/** Names of tests, which are sentences. */
const NAMES = [...PHRASES, [/^(?:who|whose|what|nobody|not|also|of) /, ADVICE]];

/** The lines of a file, each with its rules: without code blocks, quoted code, and the marks of comments and lists. */
function* english(file) {
  const isPage = file.endsWith('.md');
  const comment = /\.(?:toml|py|yml)$|run$/.test(file) ? /^\s*#\s*/ : /^\s*(?:\/\/[/!]?|\/\*\*?|\*)\s*/;
  let isCode = false;
  let isTest = false;
  for (const [index, line] of readFileSync(file, 'utf8').split('\n').entries()) {
    if (isPage && /^\s*```/.test(line)) isCode = !isCode;
    else if (isPage && !isCode)
      yield [index, line.replace(/`[^`]*`/g, '`').replace(/^\s*(?:[-|>]|\d+\.)\s*/, ''), SENTENCES];
    else if (isPage) continue;
    else if (comment.test(line)) yield [index, line.replace(comment, '').replace(/`[^`]*`/g, '`'), SENTENCES];
    else {
      const name = isTest && /^\s*(?:async )?fn (\w+)/.exec(line)?.[1];
      if (name) yield [index, name.replaceAll('_', ' '), NAMES];
      else yield [index, line, STRINGS];
      isTest = name ? false : /^\s*#\[(?:\w+::)*test\b/.test(line) || (isTest && /^\s*#\[/.test(line));
    }
  }
}

const named = process.argv.slice(2);
const listed = () =>
  execFileSync('git', ['ls-files', '--', ...FILES], { encoding: 'utf8' })
    .trim()
    .split('\n');
let found = 0;
for (const file of named.length ? named : listed()) {
  for (const [index, text, rules] of english(file)) {
    for (const [pattern, advice] of rules) {
      const match = pattern.exec(text);
      if (!match) continue;
      found += 1;
      console.error(`${file}:${index + 1}: "${match[0].trim()}": ${advice}`);
    }
  }
}
if (found) console.error(`${found} phrases that docs/STYLE.md rules out.`);
process.exitCode = found ? 1 : 0;
