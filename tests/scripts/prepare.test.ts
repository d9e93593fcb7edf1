import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A checkout with one source, a stand-in for npm, and stand-ins for what npm would install. */
let root = '';
let bin = '';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'prepare-test-'));
  bin = join(root, 'bin');
  const scripts = join(process.cwd(), 'scripts');
  ['prepare.mjs', 'prepare-lock.mjs'].forEach((name) => {
    cpSync(join(scripts, name), join(root, 'scripts', name));
  });
  mkdirSync(bin);
  mkdirSync(join(root, 'domain'));
  writeFileSync(join(root, 'domain', 'ids.ts'), 'export const a = 1;');
  writeFileSync(join(root, 'tsconfig.json'), '{"include": ["domain", "tests"]}');
  writeFileSync(join(root, 'tsconfig.build.json'), '{}');
  writeFileSync(join(root, 'package-lock.json'), '{}');
  putNpm('sh install.sh "$@"');
  writeFileSync(join(root, 'install.sh'), INSTALL);
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

const INSTALL = `echo installed >> log
echo "$*" >> npm-log
mkdir -p node_modules/.bin node_modules/typescript/bin dist/scripts dist/domain
ln -sf "$REAL_NODE" node_modules/.bin/node
cat > node_modules/typescript/bin/tsc <<'END'
const fs = require('node:fs');
fs.appendFileSync('log', 'compiled\\n');
const problem = /oops/.test(fs.readFileSync('domain/ids.ts', 'utf8'));
fs.writeFileSync('dist/domain/old.js', '');
fs.writeFileSync('dist/scripts/bundle-workflows.js', 'require("node:fs").writeFileSync("dist/workflow-bundle.js", "")');
process.exit(problem ? 2 : 0);
END
`;

function putNpm(script: string): void {
  writeFileSync(join(bin, 'npm'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, 'npm'), 0o755);
}

const environment = (): NodeJS.ProcessEnv => ({
  PATH: `${bin}:/usr/bin:/bin`,
  REAL_NODE: process.execPath,
});

function prepare(...scope: readonly string[]) {
  const args = [join(root, 'scripts', 'prepare.mjs'), ...scope];
  return spawnSync(process.execPath, args, { cwd: root, env: environment(), encoding: 'utf8' });
}

function log(): string {
  return readFileSync(join(root, 'log'), 'utf8');
}

test('it installs and builds once, and is silent when nothing has changed', () => {
  expect(prepare().status).toBe(0);
  const again = prepare();
  expect(again).toMatchObject({ status: 0, stdout: '', stderr: '' });
  expect(log()).toBe('installed\ncompiled\n');
});

test('a start installs what it needs, and the first test only what is missing', () => {
  prepare();
  prepare('development');
  prepare('development');
  prepare(); // all is there
  const lines = readFileSync(join(root, 'npm-log'), 'utf8').trim().split('\n');
  expect(lines.map((line) => line.split(' --include=optional')[0])).toEqual([
    'ci --omit=dev',
    'install --no-save --include=dev',
  ]);
  expect(log()).toBe('installed\ncompiled\ninstalled\n');
});

test('what needs the tools of a test asks for them, and nothing else does', () => {
  const of = (name: string) => PACKAGE.scripts[name] ?? '';
  const forStart = COMMANDS.filter(([, command]) => !command.includes('prepare.mjs development'));
  expect(forStart.map(([name]) => name).toSorted()).toEqual([
    'audit:show',
    'audit:verify',
    'db:migrate',
    'db:new',
    'db:status',
    'keys:rotate',
    'models:check',
    'start',
    'temporal:adopt',
    'user:delete',
    'user:role',
  ]);
  expect(of('verify')).toMatch(/^node scripts\/prepare\.mjs development && /);
});

test('a changed source is built again, a changed lock file is installed again', () => {
  prepare();
  appendFileSync(join(root, 'domain', 'ids.ts'), ' ');
  prepare();
  appendFileSync(join(root, 'package-lock.json'), ' ');
  prepare();
  expect(log()).toBe('installed\ncompiled\ncompiled\ninstalled\ncompiled\n');
});

test('what was built from a source that is gone is removed', () => {
  prepare();
  expect(existsSync(join(root, 'dist', 'domain', 'old.js'))).toBe(false);
});

test('a build that fails does not count as done', () => {
  writeFileSync(join(root, 'domain', 'ids.ts'), 'oops');
  expect(prepare()).toMatchObject({ status: 1 });
  expect(prepare().stderr).toContain('The build failed: see the messages above.');
});

const PACKAGE = JSON.parse(readFileSync('package.json', 'utf8'));
const COMMANDS = Object.entries<string>(PACKAGE.scripts).filter(
  ([name, command]) =>
    name !== 'verify' && /prepare\.mjs( development)? && .*\bnode\b/.test(command),
);

test.each(COMMANDS)('%s goes on with the node that was installed', (_name, command) => {
  symlinkSync(process.execPath, join(bin, 'node'));
  const installed = `#!/bin/sh
case "$*" in *tsc*|*bundle-workflows*) exec "$REAL_NODE" "$@" ;; esac
echo "the installed node"
`;
  writeFileSync(join(root, 'installed-node'), installed, { mode: 0o755 });
  appendFileSync(join(root, 'install.sh'), 'ln -sf "$PWD/installed-node" node_modules/.bin/node\n');
  const PATH = [join(root, 'node_modules/.bin'), environment().PATH].join(':');
  const env = { ...environment(), PATH };
  const { stdout } = spawnSync('sh', ['-c', command], { cwd: root, env, encoding: 'utf8' });
  expect(stdout.trimEnd().split('\n').at(-1)).toBe('the installed node');
});

test('without npm the error names the cure', () => {
  rmSync(join(bin, 'npm'));
  symlinkSync('/bin/sh', join(bin, 'sh'));
  const args = [join(root, 'scripts', 'prepare.mjs')];
  const env = { ...environment(), PATH: bin };
  const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
  expect(status).toBe(1);
  expect(stderr).toContain('npm is not on the PATH: install Node with npm');
});

test('without a network the error names the cure', () => {
  putNpm('echo "npm error code EAI_AGAIN" >&2; exit 1');
  expect(prepare().stderr).toContain('check the network or the proxy settings');
});

test('two at once do the work once', async () => {
  const run = (): Promise<number | null> =>
    new Promise((resolve) => {
      const args = [join(root, 'scripts', 'prepare.mjs')];
      spawn(process.execPath, args, { cwd: root, env: environment() }).once('close', resolve);
    });
  expect(await Promise.all([run(), run(), run()])).toEqual([0, 0, 0]);
  expect(log()).toBe('installed\ncompiled\n');
});

test('the lock of a killed preparation is taken over', () => {
  mkdirSync(join(root, '.agentforge'));
  const ended = spawnSync(process.execPath, ['-e', '']).pid;
  writeFileSync(join(root, '.agentforge', 'prepare.lock'), String(ended));
  expect(prepare().status).toBe(0);
});
