/** The scripts that back up and restore, around a program that only notes how it is called. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** Temporal's databases are older than the product's: what it repeats finds what is stored. */
const ORDER = ['temporal', 'temporal_visibility', 'agentforge'];

let folder: string;
let noted: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'backup-'));
  noted = join(folder, 'noted');
  writeFileSync(noted, '');
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function run(script: 'backup' | 'restore', variable: 'DUMP' | 'RESTORE', body: string) {
  const program = join(folder, 'program');
  writeFileSync(program, `#!/bin/sh\nfor database; do :; done\n${body}\n`);
  chmodSync(program, 0o755);
  const { status } = spawnSync(resolve(`deploy/compose/${script}.sh`), [join(folder, 'kept')], {
    env: { PATH: process.env['PATH'], [variable]: program, NOTED: noted },
    stdio: 'ignore',
  });
  return { status, asked: readFileSync(noted, 'utf8').trim().split('\n').filter(Boolean) };
}

const note = 'echo "$database" >>"$NOTED"';

test('a backup is one file per database, in the order in which they can be restored', () => {
  const { status, asked } = run('backup', 'DUMP', `${note}; echo "content of $database"`);
  expect([status, asked]).toEqual([0, ORDER]);
  for (const name of ORDER) {
    const file = join(folder, 'kept', `${name}.dump`);
    expect(readFileSync(file, 'utf8')).toBe(`content of ${name}\n`);
    expect(statSync(file).mode & 0o077).toBe(0); // it holds what everybody has said
  }
});

test('a backup that fails leaves no file that looks like one', () => {
  const { status } = run('backup', 'DUMP', 'echo half; test "$database" != agentforge');
  expect(status).not.toBe(0);
  expect(existsSync(join(folder, 'kept', 'agentforge.dump'))).toBe(false);
  expect(run('restore', 'RESTORE', note)).toMatchObject({ asked: [] }); // touches nothing then
});

test('a restore puts back each database from its file, and stops at the first failure', () => {
  run('backup', 'DUMP', 'echo "$database"');
  const { status, asked } = run('restore', 'RESTORE', 'read -r from; echo "$from" >>"$NOTED"');
  expect([status, asked]).toEqual([0, ORDER]);
  expect(run('restore', 'RESTORE', 'exit 3').status).toBe(3);
});
