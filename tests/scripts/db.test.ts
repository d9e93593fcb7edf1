import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { testServers } from '../support/servers.js';

const DB = resolve('dist/scripts/db.js');

interface Ended {
  readonly code: number;
  readonly output: string;
}

function run(words: readonly string[], options: { url?: string; cwd?: string } = {}) {
  const env = { PATH: process.env['PATH'], DATABASE_URL: options.url ?? '' };
  return new Promise<Ended>((done) => {
    execFile(
      process.execPath,
      [DB, ...words],
      { env, cwd: options.cwd ?? tmpdir() },
      (error, out, err) => {
        done({ code: error === null ? 0 : Number(error.code), output: `${out}${err}` });
      },
    );
  });
}

describe('on an empty database', () => {
  const name = `migrated_${process.pid}_${Date.now()}`;
  const url = new URL(testServers().databaseUrl);
  url.pathname = `/${name}`;

  async function administer(statement: string): Promise<void> {
    const client = new pg.Client({ connectionString: testServers().databaseUrl });
    await client.connect();
    await client.query(statement);
    await client.end();
  }
  beforeAll(() => administer(`create database ${name}`));
  afterAll(() => administer(`drop database ${name} with (force)`));

  test('status lists what is pending', async () => {
    const { code, output } = await run(['status'], { url: url.href });
    expect(code).toBe(0);
    expect(output).toMatch(/foundation +pending/);
  });

  test('several replicas migrate at once, and one of them does the work', async () => {
    const ends = await Promise.all([1, 2, 3, 4].map(() => run(['migrate'], { url: url.href })));
    expect(ends.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    const workers = ends.filter(({ output }) => output.includes('foundation  Success'));
    expect(workers).toHaveLength(1);
    const { output } = await run(['status'], { url: url.href });
    expect(output).not.toContain('pending');
  });
});

test('a missing address is named', async () => {
  const { code, output } = await run(['migrate']);
  expect(code).toBe(1);
  expect(output).toContain('DATABASE_URL');
});

test('an unknown command is answered with those that exist', async () => {
  const { code, output } = await run(['upgrade']);
  expect(code).toBe(1);
  expect(output).toContain('migrate, status, or new');
});

test('a new migration is a file that is listed last', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'agentforge-db-'));
  const folder = join(cwd, 'db/migrations');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, '2026-01-01T00-first.ts'), '');
  const { code } = await run(['new', 'Index', 'templates by name'], { cwd });
  expect(code).toBe(0);
  const added = readdirSync(folder).find((file) => file.endsWith('-index-templates-by-name.ts'));
  expect(added).toBeDefined();
  const index = readFileSync(join(folder, 'index.ts'), 'utf8');
  expect(index.indexOf('2026-01-01T00-first')).toBeLessThan(
    index.indexOf('index-templates-by-name'),
  );
  rmSync(cwd, { recursive: true });
});
