/** The compose file as compose's own parser reads it. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { GO_FOLDERS } from '../../scripts/embedded/temporal-programs.js';
import { findProgram, type NeededTool } from './needed-tool.js';

const SOURCE = resolve(import.meta.dirname, 'compose-reader');
const TOOLS = resolve(process.env['AGENTFORGE_HOME'] ?? '.agentforge', 'tools');
const COMPOSE_FILE = resolve('docker-compose.yml');
const MAX_BYTES = 10_000_000;
const runFile = promisify(execFile);

export const GO: NeededTool = {
  program: findProgram('go', GO_FOLDERS),
  cure: "Install Go, so that compose's own parser can be built: apt-get install golang-go",
};

const Service = z.object({
  image: z.string(),
  command: z.array(z.string()).nullish(),
  user: z.string().optional(),
  environment: z.record(z.string(), z.string().nullable()).default({}),
  ports: z.array(z.object({ host_ip: z.string().optional(), target: z.number() })).default([]),
  networks: z.record(z.string(), z.unknown()).default({}),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
  restart: z.string(),
  read_only: z.boolean().default(false),
  cap_drop: z.array(z.string()).default([]),
  security_opt: z.array(z.string()).default([]),
});
export type ComposeService = z.infer<typeof Service>;

const Project = z.object({
  services: z.record(z.string(), Service),
  networks: z.record(z.string(), z.object({ internal: z.boolean().default(false) })),
});
export type ComposeProject = z.infer<typeof Project>;

/** Reads the file with nothing but these variables. @throws what compose would say */
export async function readCompose(
  go: string,
  variables: Readonly<Record<string, string>>,
): Promise<ComposeProject> {
  const reader = await buildReader(go);
  const folder = mkdtempSync(join(tmpdir(), 'compose-'));
  try {
    const file = join(folder, '.env');
    const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(file, lines.join(''));
    const { stdout } = await runFile(reader, [COMPOSE_FILE, file], { maxBuffer: MAX_BYTES });
    return Project.parse(JSON.parse(stdout));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const BUILD_LIMIT_MS = 5 * 60_000;

/** Once per state of its source: building takes half a minute. @returns the program */
async function buildReader(go: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of ['main.go', 'go.mod', 'go.sum']) {
    hash.update(readFileSync(join(SOURCE, name)));
  }
  const program = join(TOOLS, `compose-reader-${hash.digest('hex').slice(0, 12)}`);
  if (!existsSync(program)) {
    mkdirSync(TOOLS, { recursive: true });
    const partial = `${program}.${process.pid}`;
    await runFile(go, ['build', '-o', partial, '.'], { cwd: SOURCE, timeout: BUILD_LIMIT_MS });
    renameSync(partial, program);
  }
  return program;
}

/** What a service's process finds in its environment: an unset variable is not there at all. */
export function environmentOf(service: ComposeService): Record<string, string> {
  return Object.fromEntries(
    Object.entries(service.environment).flatMap(([name, value]) =>
      value === null ? [] : [[name, value]],
    ),
  );
}
