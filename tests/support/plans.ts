/** How PostgreSQL executes a statement by its generic plan, which is what our connections use. */
import { sql } from 'kysely';
import { connectDb, type Db } from '../../db/connect.js';

export interface SeenStatement {
  readonly text: string;
  readonly values: readonly unknown[];
}

export interface RecordingDb {
  readonly db: Db;
  /** All that it has sent, in order. */
  readonly statements: SeenStatement[];
}

/** One connection that records its statements. */
export function connectRecording(url: string): RecordingDb {
  const statements: SeenStatement[] = [];
  const db = connectDb({
    ...{ url, poolSize: 1, applicationName: 'test', statementTimeoutMs: 120_000 },
    onStatement: (text, values) => statements.push({ text, values }),
  });
  return { db, statements };
}

export interface ExecutedPlan {
  readonly indexes: readonly string[];
  readonly isSorted: boolean;
  /** Pages of 8 KiB, from memory or disk. */
  readonly buffers: number;
}

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Index Name'?: string;
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
  readonly Plans?: readonly PlanNode[];
}

const nodesOf = (plan: PlanNode): readonly PlanNode[] => [
  plan,
  ...(plan.Plans ?? []).flatMap(nodesOf),
];

/** @param statements what `db` reports, emptied here @returns how the last statement of `work` is executed */
export async function planOf(
  db: Db,
  statements: SeenStatement[],
  work: () => Promise<unknown>,
): Promise<ExecutedPlan> {
  statements.length = 0;
  await work();
  const { text, values } = statements.at(-1) ?? { text: '', values: [] };
  const literals = values.map((value) =>
    sql.lit(value instanceof Date ? value.toISOString() : String(value)),
  );
  const root = await db.connection().execute(async (connection) => {
    await sql.raw(`prepare page as ${text}`).execute(connection);
    const { rows } = await sql<{ 'QUERY PLAN': readonly { Plan: PlanNode }[] }>`
      explain (analyze, buffers, format json) execute page(${sql.join(literals)})`.execute(
      connection,
    );
    await sql`deallocate page`.execute(connection);
    return rows[0]?.['QUERY PLAN'][0]?.Plan;
  });
  if (root === undefined) {
    throw new Error('no plan');
  }
  const nodes = nodesOf(root);
  return {
    indexes: nodes.flatMap((node) => node['Index Name'] ?? []),
    isSorted: nodes.some((node) => node['Node Type'].includes('Sort')),
    buffers: root['Shared Hit Blocks'] + root['Shared Read Blocks'],
  };
}
