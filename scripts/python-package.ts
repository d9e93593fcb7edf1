/** Tools that are Python packages: installed once into the state directory, with what they need. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

export interface PythonEnd {
  readonly exitCode: number | null;
  /** What it printed. */
  readonly report: string;
}

/** @returns where it is, for `PYTHONPATH`. @throws Error with the cure */
export async function installPythonPackage(name: string, version: string): Promise<string> {
  const tools = resolve(process.env['AGENTFORGE_HOME'] ?? '.agentforge', 'tools');
  const target = join(tools, `${name}-${version}`);
  if (existsSync(target)) {
    return target;
  }
  const partial = `${target}.${process.pid}`; // renamed when whole, so that a kill leaves no half
  mkdirSync(tools, { recursive: true });
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-input'];
  const { exitCode, report } = await runPython(
    ['-m', 'pip', 'install', ...quiet, '--target', partial, `${name}==${version}`],
    { PIP_ROOT_USER_ACTION: 'ignore' },
  );
  if (exitCode !== 0) {
    rmSync(partial, { recursive: true, force: true });
    throw new Error(`${name} cannot be installed (python3 with pip is needed): ${report}`);
  }
  renameSync(partial, target);
  return target;
}

export async function runPython(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<PythonEnd> {
  const child = spawn('python3', args, {
    env: { ...process.env, ...env, COLUMNS: '120', PYTHONUNBUFFERED: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said: string[] = [];
  child.stdout.on('data', (chunk: Buffer) => said.push(chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk.toString()));
  const exitCode = await new Promise<number | null>((done, reject) => {
    child.once('error', reject);
    child.once('close', done);
  });
  return { exitCode, report: said.join('') };
}
