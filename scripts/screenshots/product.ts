/** What the pictures are taken of: `npm start` in a temporary home, with vendors of ours. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { z } from 'zod';
import { forgetState } from '../embedded/embedded.js';
import { findFreePort } from '../embedded/ports.js';
import { findTool, REDIS_TOOL, TEMPORAL_TOOL } from '../embedded/python-tools.js';

export const ROOT = resolve(import.meta.dirname, '../..');

export interface StartedProduct {
  /** `http://127.0.0.1:<port>`, as the other one. */
  readonly apiUrl: string;
  readonly uiUrl: string;
  register(role: 'pro' | 'admin'): Promise<Somebody>;
  stop(): Promise<void>;
}

export interface Somebody {
  readonly email: string;
  readonly password: string;
  /** @returns the body of the answer */
  ask(method: string, path: string, body?: unknown): Promise<Readonly<Record<string, unknown>>>;
}

type Env = Readonly<Record<string, string>>;

const runFile = promisify(execFile);

/** @param env for all its processes */
export async function startProduct(env: Env): Promise<StartedProduct> {
  const home = mkdtempSync(join(tmpdir(), 'agentforge-screenshots-'));
  chmodSync(home, 0o711); // PostgreSQL may run as another user
  const settings = { ...(await settingsOf(home)), ...env };
  const child = spawn(process.execPath, [join(ROOT, 'dist/scripts/start.js')], {
    env: settings,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const stop = async (): Promise<void> => {
    await end(child);
    forgetState(home);
  };
  try {
    await untilReady(child);
  } catch (error) {
    await stop();
    throw error;
  }
  const apiUrl = `http://127.0.0.1:${settings.PORT}`;
  return {
    apiUrl,
    uiUrl: `http://127.0.0.1:${settings.TEMPORAL_UI_PORT}`,
    register: (role) => register(apiUrl, { role, settings }),
    stop,
  };
}

async function settingsOf(home: string) {
  const how = { toolsDir: join(ROOT, '.agentforge/tools'), say: console.error };
  const tools = [await findTool(TEMPORAL_TOOL, how), await findTool(REDIS_TOOL, how)];
  const port = async (): Promise<string> => String(await findFreePort());
  return {
    PATH: [...tools.map((tool) => dirname(tool)), process.env['PATH'] ?? ''].join(delimiter),
    AGENTFORGE_HOME: home,
    AUTH_RATE_LIMIT: '1000',
    PORT: await port(),
    WORKER_METRICS_PORT: await port(),
    COLLECTOR_PORT: await port(),
    TEMPORAL_PORT: await port(),
    TEMPORAL_UI_PORT: await port(),
    POSTGRES_PORT: await port(),
    REDIS_PORT: await port(),
  };
}

async function untilReady(child: ChildProcess): Promise<void> {
  const { stdout } = child;
  if (stdout === null) {
    throw new Error('npm start has no output to read');
  }
  await new Promise<void>((done, reject) => {
    createInterface({ input: stdout }).on('line', (line) => {
      if (line.startsWith('AgentForge runs')) {
        done();
      }
    });
    child.once('exit', (code) => {
      reject(new Error(`npm start ended with ${String(code)}`));
    });
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode === null) {
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGTERM');
    await ended;
  }
}

const Answer = z.record(z.string(), z.unknown());
const Tokens = z.object({ access_token: z.string() });

async function register(
  apiUrl: string,
  { role, settings }: { role: string; settings: Env },
): Promise<Somebody> {
  const email = `${role}-${randomUUID().slice(0, 8)}@example.com`;
  const password = `Pa55-${randomUUID()}`;
  let token = '';
  const ask: Somebody['ask'] = async (method, path, body) => {
    const response = await fetch(`${apiUrl}/api/v1${path}`, {
      method,
      headers: {
        'Content-Type': 'application/json',
        Prefer: 'respond-async',
        ...(token === '' ? {} : { Authorization: `Bearer ${token}` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = Answer.parse(await response.json());
    if (!response.ok) {
      throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
    }
    return answer;
  };
  const account = { email, password, display_name: 'Somebody' };
  token = Tokens.parse(await ask('POST', '/auth/register', account)).access_token;
  const command = [join(ROOT, 'dist/scripts/user-role.js'), email, role];
  await runFile(process.execPath, command, { env: settings });
  return { email, password, ask };
}
