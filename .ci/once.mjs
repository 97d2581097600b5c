/**
 * Checks that the build of a clone and its Rust tests share every crate, so that `npm test` compiles none of
 * them again. It runs after both.
 *
 * Cargo compiles a crate again for another set of features. The feature `tests` of the addon turns on the
 * features that only tests need.
 */

import { spawnSync } from 'node:child_process';

/** The libraries of a build, as the files that cargo compiled them to. */
function libraries(...command) {
  const { status, stdout } = spawnSync('cargo', [...command, '--locked', '--message-format=json'], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) process.exit(1);
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{"reason":"compiler-artifact"'))
    .map((line) => JSON.parse(line))
    .flatMap(({ filenames, package_id, features }) =>
      filenames.filter((file) => file.endsWith('.rlib')).map((file) => ({ file, package_id, features })),
    );
}

const inTests = libraries('test', '--workspace', '--no-run');
const files = new Set(inTests.map(({ file }) => file));
const again = libraries('build', '--package=proxy-execute', '--lib', '--features=tests').filter(
  ({ file }) => !files.has(file),
);
for (const { package_id, features } of again) {
  const others = inTests
    .filter((library) => library.package_id === package_id)
    .map((library) => library.features.join());
  console.error(
    `${package_id} is compiled twice: with the features ${features.join()}, for tests with ${others.join(' and ')}`,
  );
}
if (again.length > 0) {
  console.error('Add what is missing to the feature `tests` in Cargo.toml.');
  process.exit(1);
}
console.log(`The addon and the tests share all of their ${files.size} libraries.`);
