/** What the product asks of PostgreSQL, as the server logs it while it is told to. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import type { Db } from '../db/connect.js';
import type { Place } from './place.js';

export interface Statements {
  /** Round trips: BEGIN and COMMIT are among them. */
  readonly count: number;
  /** Transactions that wrote or locked something, so that their commit is waited for. */
  readonly writes: number;
  /** Statement by statement, most frequent first, with the process that sent it. */
  readonly lines: ReadonlyMap<string, number>;
}

/** @returns null where the server's log is not ours to read */
export async function countStatements(
  { db, home, watched }: Place,
  work: () => Promise<void>,
): Promise<Statements | null> {
  if (!watched.some(({ name }) => name === 'postgres')) {
    await work();
    return null;
  }
  const logFile = join(home, 'logs', 'postgres.log');
  await setLogging(db, 'all');
  const from = statSync(logFile).size;
  const writesBefore = await readNextTransaction(db);
  await work();
  const writes = (await readNextTransaction(db)) - writesBefore;
  const lines = linesOf(readFileSync(logFile).subarray(from).toString('utf8'));
  await setLogging(db, 'none');
  const count = [...lines.values()].reduce((total, times) => total + times, 0);
  return { count, writes, lines };
}

const PREFIX = 'bench-log ';

async function setLogging(db: Db, statements: 'all' | 'none'): Promise<void> {
  await sql.raw(`alter system set log_line_prefix = '${PREFIX}%a '`).execute(db);
  await sql.raw(`alter system set log_statement = '${statements}'`).execute(db);
  await sql`select pg_reload_conf()`.execute(db);
  const isSet = async (): Promise<boolean> => {
    const { rows } = await sql<{ value: string }>`
      select current_setting('log_statement') as value`.execute(db);
    return rows[0]?.value === statements;
  };
  while (!(await isSet())) {
    // sessions hear of it at their next statement
  }
}

/** Only transactions that write or lock rows get a number. */
async function readNextTransaction(db: Db): Promise<number> {
  const { rows } = await sql<{ next: string }>`
    select pg_snapshot_xmax(pg_current_snapshot())::text as next`.execute(db);
  return Number(rows[0]?.next);
}

const STATEMENT = /^(\S+) LOG: {2}(?:execute [^:]*|statement): (.*)$/s;
/** Of this program, which asks for the numbers. */
const OWN = 'bench';

function linesOf(log: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const entry of log.split(PREFIX)) {
    const [, application = OWN, statement = ''] = STATEMENT.exec(entry.trim()) ?? [];
    if (application !== OWN) {
      const line = `${application}: ${statement.replace(/\s+/g, ' ')}`;
      counts.set(line, (counts.get(line) ?? 0) + 1);
    }
  }
  return new Map([...counts].toSorted(([, a], [, b]) => b - a));
}
