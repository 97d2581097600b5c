// Finds the phrases that docs/STYLE.md rules out, and names file, line and rule.
//
//   .ci/run english              all files of SCOPES
//   node .ci/english.mjs FILE …  these files, with the rules of every scope
//
// Code blocks and quoted code of a page are not English, and are skipped.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Phrases that break the rules in prose and in comments. */
const PHRASES = [
  [/\bwho(?:so)?ever\b/i, 'name the subject instead of "whoever"'],
  [/\bnobody\b/i, 'name the subject instead of "nobody"'],
  [/\bis to be had\b/i, 'write "is available"'],
  [/\ball the same\b/i, 'write "still", or leave it out'],
  [/\bin (?:the|its) place of\b/i, 'write "instead of"'],
  [/\bcontract §|\bthe contract\b/i, 'cite a page of this repository'],
  [/\bis taken into\b/i, 'name the limit, or write "held in memory"'],
  [/\bhand(?:s|ed|ing)? on\b|\bhand(?:s|ed|ing)? (?:it|them) on\b/i, 'write "stream", "pass" or "forward"'],
  [/\bonly so\b/i, 'say what depends on what'],
  [/\bwhat (?:is|are|was|were) no\b/i, 'name the thing'],
  [/\bis let be\b/i, 'write "is not interrupted"'],
  [/\bmade anew\b/i, 'write "created again"'],
];
/** Words that no sentence begins with. */
const BEGINNINGS = [[/(?:^|[.!?:] )(?:Who|Whose|Nobody|Not|Also|Of|Only so)\b(?! course)/, 'begin with the subject']];

/** The files that must keep each set of rules. */
const SCOPES = [
  { files: ['*.md', 'lib/*.ts', ':!docs/STYLE.md', ':!bench/RESULTS.md'], rules: [...PHRASES, ...BEGINNINGS] },
  {
    files: ['*.rs', '*.ts', '*.mjs', '*.html', ':!.ci/english.mjs'],
    rules: [[/contract §/i, 'cite a page of this repository']],
  },
];

/** The lines of a file as prose: without code blocks, quoted code and the marks of comments, lists and tables. */
function prose(file) {
  let isCode = false;
  return readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => {
      if (file.endsWith('.md') && /^\s*```/.test(line)) isCode = !isCode;
      else if (!isCode) return line.replace(/`[^`]*`/g, '`').replace(/^\s*(?:\/\/[/!]?|\*|-|\d+\.|\|)\s*/, '');
      return '';
    });
}

const named = process.argv.slice(2);
const scopes = named.length ? [{ files: named, rules: SCOPES[0].rules }] : SCOPES;
let found = 0;
for (const { files, rules } of scopes) {
  const listed = named.length ? files : execFileSync('git', ['ls-files', '--', ...files], { encoding: 'utf8' });
  for (const file of named.length ? listed : listed.trim().split('\n')) {
    for (const [index, line] of prose(file).entries()) {
      for (const [pattern, advice] of rules) {
        const match = pattern.exec(line);
        if (!match) continue;
        found += 1;
        console.error(`${file}:${index + 1}: "${match[0].trim()}": ${advice}`);
      }
    }
  }
}
if (found) console.error(`${found} phrases that docs/STYLE.md rules out.`);
process.exitCode = found ? 1 : 0;
