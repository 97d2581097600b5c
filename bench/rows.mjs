/**
 * The cost of a row in PostgreSQL, and a trial of the plan in docs/scale.md for a record of calls in partitions.
 *
 *   node bench/rows.mjs
 *
 * It starts a server of its own with the schema of the gateway, and inserts rows as long as usual ones. It prints the
 * bytes of a row with its share of all indexes, and times the statements of the plan. It needs PostgreSQL, and about a
 * minute.
 */

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROWS = 200_000;
const CALLS = 1_000_000;

const file = (name) => fileURLToPath(new URL(name, import.meta.url));

/** SQL for an id of 21 characters after a prefix, random as that of a row. */
const id = (prefix) => `'${prefix}_' || substr(encode(sha256((i || '${prefix}')::bytea), 'hex'), 1, 21)`;
/** SQL for bytes that do not compress. */
const sealed = (length) => {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, block) => `sha256((i || ':${block}')::bytea)`);
  return `substr(${blocks.join(' || ')}, 1, ${length})`;
};
const AT = '1800000000000 + i * 37';

const INSERTS = {
  sessions: `INSERT INTO sessions SELECT ${id('trs')}, 'user-' || i, '{"toolkits":["github","slack"]}', 1, ${AT}, ${AT}
    FROM generate_series(1, ${ROWS}) i`,
  connected_accounts: `INSERT INTO connected_accounts (id, user_id, toolkit, auth_config_id, word_id, auth_scheme, own_status,
      credential, key_id, expires_at, credential_at, refreshed_at, renewable, connected_at, created_at, updated_at)
    SELECT ${id('ca')}, 'user-' || i, 'github', 'ac_1', 'github_brave-' || i, 'OAUTH2', 'ACTIVE', ${sealed(600)},
      '5be3d2c1a4f60789', ${AT}, ${AT}, ${AT}, TRUE, ${AT}, ${AT}, ${AT} FROM generate_series(1, ${ROWS}) i`,
  calls: `INSERT INTO calls (at, user_id, session_id, toolkit, account_id, method, host, path, outcome, status, bytes, duration_us)
    SELECT ${AT}, 'user-' || i % 100000, ${id('trs')}, 'github', ${id('ca')}, 'GET', 'api.github.com',
      '/repos/octocat/hello-world/issues/' || i, 'answered', 200, 1312, 85120 FROM generate_series(1, ${CALLS}) i`,
};

const server = spawn(file('../scripts/test-postgres'), { stdio: ['pipe', 'pipe', 'inherit'] });
const [url] = await once(createInterface(server.stdout), 'line');
if (url.startsWith('none: ')) throw new Error(url);

function sql(...statements) {
  const args = [url, '-XAtq', '-v', 'ON_ERROR_STOP=1', ...statements.flatMap((statement) => ['-c', statement])];
  return execFileSync('psql', args, { encoding: 'utf8' }).trim();
}

function timed(what, statement) {
  const began = performance.now();
  const result = sql(statement);
  const rows = result === '' ? '' : `; ${result.split('\n').at(-1)}`;
  console.log(`${what}: ${(performance.now() - began).toFixed(0)} ms${rows}`);
}

try {
  execFileSync('psql', [
    url,
    '-Xq',
    '-v',
    'ON_ERROR_STOP=1',
    '-f',
    file('../crates/store/migrations/postgres/0001_initial.sql'),
  ]);
  sql(`INSERT INTO auth_configs (id, toolkit, name, type, auth_scheme, status, credentials, key_id, has_client, settings,
    created_at, updated_at) VALUES ('ac_1', 'github', 'github', 'custom', 'OAUTH2', 'ENABLED', 'x', 'k', TRUE, '{}', 1, 1)`);
  for (const [table, statement] of Object.entries(INSERTS)) {
    const empty = Number(sql(`SELECT pg_total_relation_size('${table}')`));
    timed(`insert into ${table}`, statement);
    sql(`VACUUM ANALYZE ${table}`);
    const [all, indexes, rows] = sql(
      `SELECT pg_total_relation_size('${table}'), pg_indexes_size('${table}'), (SELECT count(*) FROM ${table})`,
    ).split('|');
    const each = (bytes) => (bytes / rows).toFixed(0);
    console.log(`${table}: ${each(all - empty)} bytes a row, ${each(indexes)} of them in indexes; ${rows} rows`);
  }

  console.log('\nthe record of calls in partitions');
  timed(
    'rename the table, and create partitions',
    `BEGIN;
    ALTER TABLE calls RENAME TO calls_before;
    CREATE TABLE calls (LIKE calls_before INCLUDING DEFAULTS INCLUDING IDENTITY) PARTITION BY RANGE (at);
    CREATE TABLE calls_2027_02 PARTITION OF calls FOR VALUES FROM (1801440000000) TO (1803859200000);
    CREATE TABLE calls_2027_03 PARTITION OF calls FOR VALUES FROM (1803859200000) TO (1806537600000);
    CREATE INDEX calls_by_id ON calls (id);
    SELECT setval(pg_get_serial_sequence('calls', 'id'), (SELECT max(id) FROM calls_before));
    ALTER TABLE calls_before ADD CONSTRAINT calls_before_at CHECK (at IS NOT NULL AND at < 1801440000000) NOT VALID;
    COMMIT`,
  );
  timed('validate the bounds, while gateways write', 'ALTER TABLE calls_before VALIDATE CONSTRAINT calls_before_at');
  timed(
    'attach the old table',
    'ALTER TABLE calls ATTACH PARTITION calls_before FOR VALUES FROM (MINVALUE) TO (1801440000000)',
  );
  timed(
    'insert into a month',
    INSERTS.calls.replaceAll('1800000000000', '1802000000000').replace(`, ${CALLS})`, ', 100000)'),
  );
  timed('the newest 100', 'SELECT count(*) FROM (SELECT * FROM calls ORDER BY id DESC LIMIT 100) newest');
  timed('detach a month, while gateways write', 'ALTER TABLE calls DETACH PARTITION calls_before CONCURRENTLY');
  timed('drop it', 'DROP TABLE calls_before');
  console.log(`rows after it: ${sql('SELECT count(*) FROM calls')}`);
} finally {
  server.stdin.end();
}
