/** Imports each program of its folder, and writes how it ended: one line of JSON for all of them. */

import { readdirSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const programs = readdirSync('.').filter((name) => name.endsWith('.mts'));
const ends = {};
// Programs print what they read. This process prints the outcomes alone.
console.log = () => {};
for (const name of programs.sort()) {
  try {
    await import(pathToFileURL(name).href);
    ends[name] = null;
  } catch (error) {
    ends[name] = { name: error.name, slug: error.slug, message: error.message };
  }
}
process.stdout.write(JSON.stringify(ends));
