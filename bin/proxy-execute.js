#!/usr/bin/env node
/** The command `proxy-execute`. */

function fail(error) {
  process.stderr.write(`error: ${error.message}\n`);
  process.exitCode = 1;
}

try {
  const { main } = require('../dist/cli/main.js');
  main(process.argv.slice(2)).then((code) => {
    process.exitCode = code;
  }, fail);
} catch (error) {
  // The native part could not be loaded; the message says what to do.
  fail(error);
}
