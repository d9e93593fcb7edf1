/**
 * Two requests that people's clients make all the time, GET /auth/me and GET /conversations (30 rows),
 * against a bare Koa route that verifies the same token, runs the same Redis script and asks the same.
 */
import { randomUUID } from 'node:crypto';
import type { ServerProcess } from '../scripts/embedded/process.js';
import type { Watched } from './cpu.js';
import { HttpClient } from './http/client.js';
import type { Place } from './place.js';
import { startApi, startBareKoa, type Api } from './processes.js';
import { chosen, runContest, type Arguments, type Contest } from './program.js';
import { cpu, cpuTables, p50, perSecond, ratiosToBuilds, speedTable } from './report.js';
import { measureLoads, type Load, type System } from './rounds.js';
import { createUsers, type BenchUser } from './users.js';

export interface HttpBench extends Arguments {
  readonly loads: readonly Load[];
}

const LOADS = [
  { users: 1, each: 200 },
  { users: 8, each: 100 },
];
const ROUNDS = 6;
const CONVERSATIONS = 30;
const PATHS = ['/auth/me', '/conversations'];
const BARE = 'bare Koa';
/** High enough never to refuse; without a limit the script would not run. */
const LIMITED = { RATE_LIMIT_PRO: '1000000' };

export async function benchHttp(
  { products, bare }: Contest,
  { loads, rounds }: HttpBench,
): Promise<readonly string[]> {
  const started: ServerProcess[] = [];
  const servers: Server[] = [];
  try {
    const clients = Math.max(...loads.map(({ users }) => users));
    for (const place of products) {
      const api = await startApi(limited(place));
      started.push(api);
      servers.push(await connectServer(place, { name: place.build.name, api, clients }));
    }
    const koa = await startBareKoa(limited(bare));
    started.push(koa);
    servers.push(await connectServer(bare, { name: BARE, api: koa, clients }));
    const others = servers.slice(0, -2).map(({ name }) => name);
    const sections: string[] = [];
    for (const path of PATHS) {
      const systems = servers.map((server) => systemOf(server, path));
      const measured = await measureLoads(systems, loads, rounds);
      sections.push(
        `GET ${path}:`,
        speedTable(measured, [
          { title: 'p50 / bare', against: BARE, valueOf: p50 },
          { title: 'per second / bare', against: BARE, valueOf: perSecond },
          { title: 'CPU / bare', against: BARE, valueOf: cpu },
          ...ratiosToBuilds(others),
        ]),
        cpuTables(measured),
      );
    }
    return sections;
  } finally {
    for (const client of servers.flatMap((server) => server.clients)) {
      client.close();
    }
    await Promise.all(started.map((server) => server.stop()));
  }
}

function limited(place: Place): Place {
  return { ...place, env: { ...place.env, ...LIMITED } };
}

interface Server {
  readonly name: string;
  readonly watched: readonly Watched[];
  readonly clients: readonly HttpClient[];
  readonly user: BenchUser;
}

async function connectServer(
  place: Place,
  { name, api, clients }: { name: string; api: Api; clients: number },
): Promise<Server> {
  const user = await createTalker(place);
  return {
    name,
    watched: [{ name: 'api', pid: api.pid }, ...place.watched],
    clients: Array.from({ length: clients }, () => new HttpClient(api.url)),
    user,
  };
}

async function createTalker(place: Place): Promise<BenchUser> {
  const [user] = await createUsers(place, 1);
  if (user === undefined) {
    throw new Error('a user was asked for');
  }
  const rows = Array.from({ length: CONVERSATIONS }, (_, index) => ({
    ...{ id: randomUUID(), userId: user.id, title: `Conversation ${index}` },
  }));
  await place.db.insertInto('conversations').values(rows).execute();
  return user;
}

function systemOf({ name, watched, clients, user }: Server, path: string): System {
  return {
    name,
    watched,
    async once(client) {
      await clients[client]?.get(`/api/v1${path}`, user.token);
    },
  };
}

if (import.meta.main) {
  await runContest('http', { rounds: ROUNDS }, (contest, args) =>
    benchHttp(contest, { ...args, loads: chosen(LOADS, args) }),
  );
}
