/** What the product asks of PostgreSQL, as the server logs it during the measurement. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import type { Place } from './place.js';

export interface Statements {
  /** Round trips: BEGIN and COMMIT are among them. */
  readonly count: number;
  /** Transactions with a statement that writes or locks, so that their commit is waited for. */
  readonly writes: number;
  /** Statement by statement, most frequent first, with the process that sent it. */
  readonly lines: ReadonlyMap<string, number>;
}

/** @returns null where the server's log is not ours to read */
export async function countStatements(
  { home, adminDatabaseUrl }: Pick<Place, 'home' | 'adminDatabaseUrl'>,
  work: () => Promise<void>,
): Promise<Statements | null> {
  if (adminDatabaseUrl === null) {
    await work();
    return null;
  }
  const logFile = join(home, 'logs', 'postgres.log');
  await setLogging(adminDatabaseUrl, 'all');
  const from = statSync(logFile).size;
  await work();
  const asked = statementsIn(readFileSync(logFile).subarray(from).toString('utf8'));
  await setLogging(adminDatabaseUrl, 'none');
  const writing = asked.filter(({ text }) => WRITES.test(text));
  const writes = new Set(writing.map(({ transaction }) => transaction)).size;
  return { count: asked.length, writes, lines: linesOf(asked) };
}

const PREFIX = 'bench-log ';

async function setLogging(adminDatabaseUrl: string, statements: 'all' | 'none'): Promise<void> {
  const client = new pg.Client({ connectionString: adminDatabaseUrl, application_name: OWN });
  await client.connect();
  try {
    await client.query(`alter system set log_line_prefix = '${PREFIX}%d %v %a '`);
    await client.query(`alter system set log_statement = '${statements}'`);
    await client.query('select pg_reload_conf()');
    const isSet = async (): Promise<boolean> => {
      const { rows } = await client.query<{ value: string }>(
        `select current_setting('log_statement') as value`,
      );
      return rows[0]?.value === statements;
    };
    while (!(await isSet())) {
      // sessions hear of it at their next statement
    }
  } finally {
    await client.end();
  }
}

interface Statement {
  readonly application: string;
  readonly transaction: string;
  readonly text: string;
}

const STATEMENT = /^(\S+) (\S+) (\S+) LOG: {2}(?:execute [^:]*|statement): (.*)$/s;
const WRITES = /\b(insert into|update|delete from|merge into|for (no key )?(update|share))\b/i;
/** Temporal's real server keeps its own databases beside it. */
const DATABASE = 'agentforge';
/** Of this program, which asks for the numbers. */
const OWN = 'bench';

function statementsIn(log: string): readonly Statement[] {
  return log.split(PREFIX).flatMap((entry) => {
    const [, database, transaction = '', application = OWN, statement = ''] =
      STATEMENT.exec(entry.trim()) ?? [];
    return database === DATABASE && application !== OWN
      ? [{ application, transaction, text: statement.replace(/\s+/g, ' ') }]
      : [];
  });
}

function linesOf(asked: readonly Statement[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { application, text } of asked) {
    const line = `${application}: ${text}`;
    counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  return new Map([...counts].toSorted(([, a], [, b]) => b - a));
}
