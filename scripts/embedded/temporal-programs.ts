/** Temporal's server and its schema tool: built once from their Go module, for no package has them. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { PRIVATE_DIRECTORY } from './private-files.js';
import { findOnPath, type FindToolOptions } from './python-tools.js';
import { goEnvironment } from './server-environment.js';

export interface TemporalPrograms {
  readonly server: string;
  readonly sqlTool: string;
}

/** As in docker-compose.yml. */
export const TEMPORAL_VERSION = '1.32.0';
const MODULE = 'go.temporal.io/server';
const COMMANDS = ['cmd/server', 'cmd/tools/sql'];
/** Where installations of Go put it that is not on PATH. */
export const GO_FOLDERS = ['/usr/local/go/bin', '/usr/lib/go/bin'];
const BUILD_TIMEOUT_MS = 60 * 60_000;
const MAX_OUTPUT_BYTES = 10_000_000;
const runFile = promisify(execFile);

/** @throws Error with the cure, when they cannot be built. */
export async function findTemporalPrograms(options: FindToolOptions): Promise<TemporalPrograms> {
  const target = join(options.toolsDir, `temporal-server-${TEMPORAL_VERSION}`);
  if (!existsSync(target)) {
    const path = options.path ?? [process.env['PATH'] ?? '', ...GO_FOLDERS].join(delimiter);
    const go = findOnPath('go', path);
    if (go === null) {
      throw new Error(
        "Temporal's real server is built with Go: install it (https://go.dev/doc/install), or unset AGENTFORGE_TEST_TEMPORAL.",
      );
    }
    options.say(`Building Temporal's server ${TEMPORAL_VERSION} (once, takes some minutes) …`);
    await build(go, target);
  }
  return { server: join(target, 'server'), sqlTool: join(target, 'sql') };
}

async function build(go: string, target: string): Promise<void> {
  const partial = `${target}.${process.pid}`; // renamed when whole, so that a kill leaves no half
  mkdirSync(partial, { recursive: true, mode: PRIVATE_DIRECTORY });
  const packages = COMMANDS.map((command) => `${MODULE}/${command}@v${TEMPORAL_VERSION}`);
  try {
    await runFile(go, ['install', '-ldflags=-s -w', ...packages], {
      env: { ...goEnvironment(), GOBIN: partial, CGO_ENABLED: '0' },
      timeout: BUILD_TIMEOUT_MS,
      maxBuffer: MAX_OUTPUT_BYTES,
    });
    if (!existsSync(target)) {
      renameSync(partial, target);
    }
  } catch (cause) {
    const said = cause instanceof Error ? cause.message.trim() : '';
    const reason = said.split('\n').at(-1) ?? '';
    throw new Error(
      `Temporal's server ${TEMPORAL_VERSION} could not be built: check the network and that Go is as new as it asks for (${reason}).`,
      { cause },
    );
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}
