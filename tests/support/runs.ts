/** Rows that tests of runs begin with. */
import { randomUUID } from 'node:crypto';
import { admitRun, type RunRequest } from '../../db/runs/admission.js';
import type { Db } from '../../db/connect.js';
import { designOf } from './designs.js';

/** By default: a new run over HTTP that the server's keys pay. */
export function runRequestOf(userId: string, fields: Partial<RunRequest> = {}): RunRequest {
  return {
    pipelineId: randomUUID(),
    userId,
    conversationId: null,
    design: designOf(['reader', 'writer']),
    language: 'en',
    keys: { serverKeys: true, simulated: false, readableSeals: [] },
    order: 'http',
    ...fields,
  };
}

/** Admits a run. @returns its id */
export async function admittedRun(
  db: Db,
  order: Partial<RunRequest> & { userId: string },
  now: Date,
): Promise<string> {
  const whole = runRequestOf(order.userId, order);
  const admission = await admitRun(db, whole, now);
  if (admission.kind === 'refused') {
    throw new Error(`refused: ${admission.code}`);
  }
  return whole.pipelineId;
}

export async function createTestConversation(db: Db, userId: string): Promise<string> {
  const id = randomUUID();
  await db.insertInto('conversations').values({ id, userId, title: 'Test' }).execute();
  return id;
}
