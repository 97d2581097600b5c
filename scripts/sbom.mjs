// Writes proxy-execute.cdx.json: the dependencies of the package as CycloneDX, with versions, licences and hashes.
//
//   npm run sbom        needs cargo-cyclonedx: `cargo install --locked cargo-cyclonedx`
//
// The package has no npm dependencies at run time, so all of them are crates of the addon, on all platforms.

import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Ajv } from 'ajv';

const OUTPUT = 'proxy-execute.cdx.json';
/** The newest version that cargo-cyclonedx writes. */
const SPEC_VERSION = '1.5';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = (program, args, env = {}) =>
  execFileSync(program, args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28, env: { ...process.env, ...env } });

/** The dependencies of the addon's crate, as cargo-cyclonedx lists them. */
function locked() {
  // Fails if Cargo.lock is stale, which cargo-cyclonedx would rewrite.
  const metadata = JSON.parse(run('cargo', ['metadata', '--no-deps', '--locked', '--format-version=1']));
  // With the time of the commit instead of the present, two runs write the same file.
  const committed = run('git', ['log', '-1', '--format=%ct']).trim();
  const name = 'sbom-of-crate';
  const args = ['--format=json', `--spec-version=${SPEC_VERSION}`, '--target=all', `--override-filename=${name}`];
  run('cargo', ['cyclonedx', '--quiet', ...args], { SOURCE_DATE_EPOCH: committed });
  const document = readFileSync(join(root, `${name}.json`), 'utf8');
  // cargo-cyclonedx writes a file beside the Cargo.toml of each member of the workspace.
  for (const member of metadata.packages) rmSync(join(member.manifest_path, '..', `${name}.json`));
  // References contain the path of the clone.
  return JSON.parse(document.replaceAll(pathToFileURL(root).href.replace(/\/$/, ''), 'file://'));
}

/** Removes crates of features that the addon does not have, such as the other databases of sqlx. */
function removeUnused(document) {
  const args = ['--locked', '--package=proxy-execute', '--edges=normal,build', '--target=all', '--prefix=none'];
  const lines = run('cargo', ['tree', ...args]).split('\n');
  const used = new Set(lines.map((line) => /^(\S+) v(\S+)/.exec(line)?.slice(1, 3).join('@')));
  document.components = document.components.filter(({ name, version }) => used.has(`${name}@${version}`));
  const references = new Set([document.metadata.component, ...document.components].map((each) => each['bom-ref']));
  const isKept = (reference) => references.has(reference);
  document.dependencies = document.dependencies
    .filter(({ ref }) => isKept(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn?.filter(isKept) }));
}

/** Fails if the document does not follow the schema of CycloneDX. */
function validate(document) {
  const schemas = join(root, 'node_modules/@cyclonedx/cyclonedx-library/res/schema');
  const read = (file) => JSON.parse(readFileSync(join(schemas, file), 'utf8'));
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  // The schema refers to these by the names of their files.
  for (const file of ['spdx.SNAPSHOT.schema.json', 'jsf-0.82.SNAPSHOT.schema.json'])
    ajv.addSchema(read(file), `http://cyclonedx.org/schema/${file}`);
  if (!ajv.validate(read(`bom-${SPEC_VERSION}.SNAPSHOT.schema.json`), document))
    throw new Error(`${OUTPUT} does not follow the schema: ${ajv.errorsText(ajv.errors)}.`);
}

if (!/^ +cyclonedx\b/m.test(run('cargo', ['--list'])))
  throw new Error('cargo-cyclonedx is missing. Install it: cargo install --locked cargo-cyclonedx');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
if (Object.keys(manifest.dependencies ?? {}).length)
  throw new Error('package.json has dependencies, and this script lists crates only.');

const document = locked();
removeUnused(document);
const addon = document.metadata.component;
const purl = `pkg:npm/${manifest.name}@${manifest.version}`;
document.metadata.component = {
  type: 'library',
  'bom-ref': purl,
  name: manifest.name,
  version: manifest.version,
  description: manifest.description,
  licenses: [{ license: { id: manifest.license } }],
  purl,
  externalReferences: [{ type: 'vcs', url: manifest.repository.url }],
};
document.components.unshift(addon);
document.dependencies.unshift({ ref: purl, dependsOn: [addon['bom-ref']] });
validate(document);
writeFileSync(join(root, OUTPUT), `${JSON.stringify(document, undefined, 2)}\n`);
console.log(`${OUTPUT}: ${document.components.length} components`);
