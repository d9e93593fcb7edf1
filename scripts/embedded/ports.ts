import { randomInt } from 'node:crypto';
import { connect, createServer } from 'node:net';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Every server of ours listens here only. */
export const LOCAL_HOST = '127.0.0.1';

/**
 * Below every system's range of ports for outgoing connections (Linux: 32768, others: 49152), and
 * above those that well-known servers take: no server takes one of these by chance.
 */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_767;
const PORT_TRIES = 100;

/** Those who look at once, such as jest's workers, look in parts of the range of their own. */
const PARTS = 16;
const PART_SIZE = Math.floor((LAST_PORT - FIRST_PORT + 1) / PARTS);
const FIRST_OF_PART = FIRST_PORT + (Number(process.env['JEST_WORKER_ID'] ?? 0) % PARTS) * PART_SIZE;

/** They may be taken much later, so none is given twice. */
const given = new Set<number>();

/** A port that was free a moment ago, that is given out once, and that no outgoing connection takes. */
export async function findFreePort(): Promise<number> {
  for (let attempt = 0; attempt < PORT_TRIES; attempt += 1) {
    const port = FIRST_OF_PART + randomInt(PART_SIZE);
    if (!given.has(port)) {
      given.add(port);
      if (await isPortFree(port)) {
        return port;
      }
    }
  }
  throw new Error(`No free port among ${PART_SIZE} from ${FIRST_OF_PART} on.`);
}

export async function isPortFree(port: number, host = LOCAL_HOST): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => {
      resolve(false);
    });
    server.listen(port, host, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}

/** @throws Error that names the variable to set, and who holds the port if that can be seen. */
export async function requireFreePort(
  variable: string,
  port: number,
  host?: string,
): Promise<void> {
  if (!(await isPortFree(port, host))) {
    const holder = holderOf(port);
    const held = holder === null ? 'in use' : `in use by ${holder}`;
    throw new Error(
      `Port ${port} is ${held}: set ${variable} to a free port, or end that process.`,
    );
  }
}

export async function acceptsConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: LOCAL_HOST });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}

/** Source: proc(5), /proc/net/tcp: local address, state 0A (listening) and inode by column. */
const LISTENING = '0A';

/** Name and pid of the process that listens on a port; null where /proc does not tell. */
function holderOf(port: number): string | null {
  const inode = listeningInode(port);
  if (inode === null) {
    return null;
  }
  for (const pid of listProc('/proc').filter((name) => /^\d+$/.test(name))) {
    const holds = listProc(`/proc/${pid}/fd`).some(
      (fd) => linkOf(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`,
    );
    if (holds) {
      return `${readProc(`/proc/${pid}/comm`).trim()} (pid ${pid})`;
    }
  }
  return null;
}

function listeningInode(port: number): string | null {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  const lines = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => readProc(file).split('\n'));
  const columns = lines.map((line) => line.trim().split(/\s+/));
  const row = columns.find(
    ([, local, , state]) => local?.endsWith(`:${hexPort}`) === true && state === LISTENING,
  );
  return row?.[9] ?? null;
}

function listProc(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // not Linux, or not ours to see
  }
}

function readProc(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}
