#!/usr/bin/env node
/** The command `proxy-execute`. */

const { availableParallelism } = require('node:os');

// Set before the native part is loaded, because it creates its threads then. No core is reserved for JavaScript,
// because here JavaScript only waits.
process.env.PROXY_EXECUTE_THREADS ??= String(availableParallelism());

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
  // The package is not complete.
  fail(error);
}
