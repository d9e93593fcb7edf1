// Runs before every npm script: installs packages and builds, when they are not up to date, and says
// so. With the argument `development` it installs the tools of `npm test`, too: more than half of all
// packages, which `npm start` does not need. Plain JavaScript for Node 20, because it runs before
// anything is installed.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join, relative, resolve, sep } from 'node:path';
import { withLock } from './prepare-lock.mjs';

const ROOT = resolve(import.meta.dirname ?? dirname(new URL(import.meta.url).pathname), '..');
const MODULES = join(ROOT, 'node_modules');
const DIST = join(ROOT, 'dist');
const INSTALL_STAMP = join(MODULES, '.agentforge-lock');
const BUILD_STAMP = join(DIST, '.agentforge-build');
const BUNDLE = join(DIST, 'workflow-bundle.js');
const OLDEST_NODE = 20;
const FOR_DEVELOPMENT = process.argv[2] === 'development';
/** SHA-256 of the program of the package `node`, which its install script fetches past the lock file. */
const NODE_PROGRAM = {
  'linux-x64': '7fde7b8afa198da66257f42ee2001d874c7355631e6d1579a5fb5ef1f246df4c',
  'linux-arm64': '0f8949d1028f6d61506b2d5bc57e7e6fe893d7b1997509b7847294fc9c616584',
};
/** Of ours; what is installed or built here has no business with them. */
const SECRETS =
  /^(?:SECRET_KEY|ENCRYPTION_KEY\w*|AUDIT_SIGNING_KEY|DATABASE_URL|\w*REDIS_URL|TEMPORAL_(?:API|TLS)_KEY|\w*_PASSWORD|(?:OPENAI|ANTHROPIC|GOOGLE)_\w+)$/;
const NETWORK_ERRORS = /ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET|ERR_SOCKET_TIMEOUT/;

/** A problem whose message names the cure; told without a stack. */
class PrepareError extends Error {}

try {
  await prepare();
} catch (error) {
  process.stderr.write(`\n${error instanceof PrepareError ? error.message : error.stack}\n`);
  process.exitCode = 1;
}

async function prepare() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < OLDEST_NODE) {
    throw new PrepareError(
      `Node ${process.versions.node} is too old: install Node ${OLDEST_NODE} or newer.`,
    );
  }
  if (isReady()) {
    return;
  }
  await withLock(join(ROOT, '.agentforge', 'prepare.lock'), say, async () => {
    if (!isInstalled()) {
      await install();
    }
    if (readStamp(BUILD_STAMP) !== hashOfSources() || !existsSync(BUNDLE)) {
      await build();
    }
  });
}

function isReady() {
  return isInstalled() && readStamp(BUILD_STAMP) === hashOfSources() && existsSync(BUNDLE);
}

function isInstalled() {
  const stamp = readStamp(INSTALL_STAMP);
  return stamp === stampOf('development') || (!FOR_DEVELOPMENT && stamp === stampOf('start'));
}

function say(line) {
  process.stdout.write(`${line}\n`);
}

async function install() {
  say('Installing packages (npm; the first time takes a minute or two) …');
  const onlyMore = readStamp(INSTALL_STAMP) === stampOf('start'); // beside a product that may be running
  rmSync(INSTALL_STAMP, { force: true });
  const args = [
    ...(onlyMore ? ['install', '--no-save'] : ['ci']),
    FOR_DEVELOPMENT ? '--include=dev' : '--omit=dev', // independent of NODE_ENV
    '--include=optional', // a Node, a PostgreSQL and the compiler, which an image does not need
    ...['--no-audit', '--no-fund', '--loglevel=error'],
  ];
  const { status, errors } = await run('npm', args, { PATH: pathWithoutModules() });
  if (status === 'missing') {
    throw new PrepareError(
      'npm is not on the PATH: install Node with npm (nodejs.org), then try again.',
    );
  }
  if (status !== 0) {
    throw new PrepareError(
      NETWORK_ERRORS.test(errors)
        ? 'npm could not reach its registry: check the network or the proxy settings, then try again.'
        : 'npm failed (see above): remove node_modules and try again.',
    );
  }
  requireCurrentNode();
  writeFileSync(INSTALL_STAMP, stampOf(FOR_DEVELOPMENT ? 'development' : 'start'));
}

/** The package `node` gets its program in an install script, which npm may have been told to skip. */
function requireCurrentNode() {
  requireReleasedNode(join(MODULES, 'node', 'bin', 'node'));
  const { status } = spawnSync(join(MODULES, '.bin', 'node'), ['--version']);
  if (status !== 0) {
    rmSync(join(MODULES, '.bin', 'node'), { force: true });
    throw new PrepareError(
      'The npm package "node" has no program: allow npm install scripts (npm config set ignore-scripts false), then try again.',
    );
  }
}

/** Where no hash is known for the platform, npm's own check of the package has to do. */
function requireReleasedNode(program) {
  const wanted = NODE_PROGRAM[`${process.platform}-${process.arch}`];
  if (wanted === undefined || !existsSync(program)) {
    return;
  }
  const found = createHash('sha256').update(readFileSync(program)).digest('hex');
  if (found !== wanted) {
    rmSync(join(MODULES, '.bin', 'node'), { force: true });
    throw new PrepareError(
      `${program} is not the Node that was released: it is not run; check npm's registry, remove node_modules and try again.`,
    );
  }
}

function withoutSecrets(env) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !SECRETS.test(name)));
}

async function build() {
  say('Building …');
  rmSync(BUILD_STAMP, { force: true });
  const sources = hashOfSources();
  const node = join(MODULES, '.bin', 'node');
  const compiler = join(MODULES, 'typescript', 'bin', 'tsc');
  const compiled = await run(node, [compiler, '-p', 'tsconfig.build.json']);
  const bundled =
    compiled.status === 0
      ? await run(node, [join(DIST, 'scripts', 'bundle-workflows.js')])
      : compiled;
  if (bundled.status !== 0) {
    throw new PrepareError('The build failed: see the messages above.');
  }
  removeStale(DIST);
  writeFileSync(BUILD_STAMP, sources);
}

/** Deletes what was built from sources that are no more. */
function removeStale(directory) {
  for (const file of filesIn(directory, /\.js$/)) {
    const source = join(ROOT, relative(DIST, file).replace(/\.js$/, '.ts'));
    if (file !== BUNDLE && !existsSync(source)) {
      rmSync(file);
      rmSync(`${file}.map`, { force: true });
    }
  }
}

function run(command, args, env = {}) {
  return new Promise((done) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'pipe'],
      env: { ...withoutSecrets(process.env), ...env },
    });
    let errors = '';
    child.stderr.on('data', (chunk) => {
      errors += chunk;
      process.stderr.write(chunk);
    });
    child.once('error', () => done({ status: 'missing', errors }));
    child.once('close', (status) => done({ status, errors }));
  });
}

/** npm must not run on the Node that it is about to replace. */
function pathWithoutModules() {
  const entries = (process.env.PATH ?? '').split(delimiter);
  return entries.filter((entry) => !entry.startsWith(MODULES)).join(delimiter);
}

/** @param scope what is installed: `start`, or `development` for all */
function stampOf(scope) {
  const lock = readFileSync(join(ROOT, 'package-lock.json'));
  return `${scope} ${hashOf([`${process.platform}-${process.arch}`, lock])}`;
}

function hashOfSources() {
  const rooms = JSON.parse(readFileSync(join(ROOT, 'tsconfig.json'), 'utf8')).include;
  const files = rooms
    .filter((room) => !['tests', 'bench'].includes(room))
    .flatMap((room) => filesIn(join(ROOT, room), /\.(ts|json)$/))
    .sort();
  const settings = ['tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];
  const all = [...settings.map((name) => join(ROOT, name)), ...files];
  return hashOf(all.flatMap((file) => [relative(ROOT, file), readFileSync(file)]));
}

function filesIn(directory, pattern) {
  if (!existsSync(directory)) {
    return [];
  }
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter((file) => !file.includes(`${sep}node_modules${sep}`));
}

function hashOf(parts) {
  const hash = createHash('sha256');
  parts.forEach((part) => hash.update(part).update('\0'));
  return hash.digest('hex');
}

function readStamp(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
