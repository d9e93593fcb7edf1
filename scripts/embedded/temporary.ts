/**
 * Servers for a while, with their state in a temporary directory: for tests and measurements, which
 * run from the source. AGENTFORGE_TEST_TEMPORAL chooses Temporal's.
 */
import { randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  endLeftoverServers,
  forgetState,
  startEmbedded,
  type Embedded,
  type EmbeddedOptions,
} from './embedded.js';
import { findFreePort } from './ports.js';
import { isOurs } from './private-files.js';
import { endLeftover, readRunning, sendSignal, writePidFile } from './process.js';
import { chosenTemporal } from './temporal-choice.js';

export interface TemporaryOptions extends Pick<
  EmbeddedOptions,
  'durability' | 'redisDatabases' | 'say'
> {
  /** What the directory's name begins with; one purpose, one prefix. */
  readonly prefix: string;
  /** Where downloaded programs are kept. */
  readonly toolsDir: string;
}

export interface TemporaryServers extends Embedded {
  /** Of a user of Redis that reads everything, to look at what is stored. */
  readonly observerRedisUrl: string;
  readonly home: string;
}

const OWNER_FILE = 'owner.pid';
/** Of the real Temporal server: production's. */
export const DYNAMIC_CONFIG_FILE = resolve(
  import.meta.dirname,
  '../../deploy/compose/temporal.yaml',
);

/** Starts all three on free ports. They end with this process, however it ends. */
export async function startTemporary(options: TemporaryOptions): Promise<TemporaryServers> {
  const { prefix, ...settings } = options;
  const isReal = chosenTemporal() === 'server';
  mkdirSync(settings.toolsDir, { recursive: true });
  await sweep(prefix);
  const home = mkdtempSync(join(tmpdir(), prefix));
  writePidFile(join(home, OWNER_FILE), process.pid, prefix);
  const observer = randomBytes(24).toString('hex');
  const embedded = await startEmbedded({
    ...settings,
    moreRedisUsers: [`user observer on >${observer} ~* -@all +@read +@connection +select +info`],
    home,
    ports: {
      postgres: await findFreePort(),
      redis: await findFreePort(),
      temporal: await findFreePort(),
    },
    realTemporal: isReal ? { dynamicConfigFile: DYNAMIC_CONFIG_FILE } : undefined,
  });
  const killAll = (): void => {
    for (const server of embedded.servers.values()) {
      sendSignal(-server.pid, 'SIGKILL');
    }
  };
  process.once('exit', killAll);
  return {
    ...embedded,
    observerRedisUrl: withLogin(embedded.redisUrl ?? '', 'observer', observer),
    home,
    async stop() {
      process.off('exit', killAll);
      await embedded.stop();
      forgetState(home);
    },
  };
}

function withLogin(address: string, user: string, password: string): string {
  const url = new URL(address);
  url.username = user;
  url.password = password;
  return url.href;
}

/** Ends what killed owners have left behind: their servers, and all else that has a pid file there. */
async function sweep(prefix: string): Promise<void> {
  const homes = readdirSync(tmpdir())
    .filter((name) => name.startsWith(prefix))
    .map((name) => join(tmpdir(), name))
    .filter((home) => isOurs(lstatSync(home))) // anyone may make one of that name
    .filter((home) => readRunning(join(home, OWNER_FILE)) === null);
  for (const home of homes) {
    await endLeftoverServers(home);
    const others = readdirSync(home).filter((name) => /\.pid$/.test(name) && name !== OWNER_FILE);
    await Promise.all(others.map((name) => endLeftover(join(home, name))));
    forgetState(home);
  }
}
